"""Tools that take clicks in the picture: split, merge, click to fix.

While one waits, a drag draws instead of moving the view (hold space for that), and Escape leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_spineseg.widgets.view import volume_axes

Point = tuple[float, float, float]
# A press that moves less than this, pixels of the screen, is a click.
_STILL = 4.0


@dataclass
class Gesture:
    """One press of a mouse button, until its release.

    Attributes
    ----------
    points
        Index coordinates (slice, row, column) along the way; one for a click.
    remove
        Whether it was the right button, or Shift was held.
    """

    points: list[Point] = field(default_factory=list)
    remove: bool = False

    @property
    def is_click(self) -> bool:
        """Whether the mouse stood still."""
        return len(self.points) == 1


class ClickTool(QObject):
    """Listens on a layer while a tool wants clicks."""

    made = Signal(str, object)
    """The tool and a `Gesture`."""
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._mode = "pan_zoom"
        self.active: str | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer whose clicks it hears, while a tool waits."""
        return self._layer

    def start(self, tool: str, layer: Labels) -> None:
        """Let `tool` have the clicks on `layer`."""
        self.stop()
        self._layer, self._mode, self.active = layer, str(layer.mode), tool
        layer.mode = "pan_zoom"
        layer.mouse_pan = False
        layer.cursor = "cross"
        layer.mouse_drag_callbacks.append(self._on_press)
        layer.events.mode.connect(self._on_mode)
        layer.bind_key("Escape", lambda _: self.stop(), overwrite=True)

    def stop(self) -> None:
        """Give the mouse back."""
        layer, self._layer, self.active = self._layer, None, None
        if layer is None:
            return
        layer.events.mode.disconnect(self._on_mode)
        layer.bind_key("Escape", None)
        if self._on_press in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_press)
        if layer.mode == "pan_zoom":
            layer.mouse_pan = True
            layer.cursor = "standard"
            layer.mode = self._mode
        self.ended.emit()

    def _on_mode(self, event: object) -> None:
        """Somebody took another tool."""
        if self._layer is not None and self._layer.mode != "pan_zoom":
            self._mode = str(self._layer.mode)
            self.stop()

    def _on_press(self, layer: Labels, event: Any) -> Iterator[None]:
        if len(event.dims_displayed) != 2 or self.active is None:
            return
        gesture = Gesture(remove=event.button == 2 or "Shift" in event.modifiers)
        gesture.points.append(_index(layer, event))
        tool, start = self.active, np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            _follow(gesture, layer, event, start)
            yield
        # The window leaves out moves that follow each other closely; the release is always heard.
        _follow(gesture, layer, event, start)
        self.made.emit(tool, gesture)


def _follow(gesture: Gesture, layer: Labels, event: Any, start: np.ndarray) -> None:
    """Take the mouse's place into the gesture, once it has moved."""
    if np.linalg.norm(np.asarray(event.pos) - start) > _STILL or not gesture.is_click:
        point = _index(layer, event)
        if point != gesture.points[-1]:
            gesture.points.append(point)


def _index(layer: Labels, event: Any) -> Point:
    """Index of the voxel under the mouse; on the slice that is shown, between two it is the nearer one."""
    point = np.asarray(layer.world_to_data(event.position), float)
    shown = volume_axes(event.dims_displayed, len(event.position))
    fixed = [n for n in range(3) if n not in shown]
    point[fixed] = np.round(point[fixed])
    return tuple(float(v) for v in point)
