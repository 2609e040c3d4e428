"""The brush: napari's paint and erase modes, but only where it may go, and round in millimetres.

napari's own bucket and polygon keep to the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_spineseg.corrections.confine import Confine, Rule
from napari_spineseg.corrections.tools.brush import stroke
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.view import volume_axes

_PAINTING = ("paint", "erase")
# Where napari's bucket, polygon and encircling stroke write, and where a polygon begins.
_MASK, _POLYGON = "_apply_mask_to_data", "paint_polygon"


@dataclass(frozen=True)
class _Stroke:
    """What stays the same from press to release."""

    label: int
    erase: bool
    rule: Rule
    shown: list[int]


class Brush:
    """Takes the place of napari's own brush on a layer, until `release`."""

    def __init__(self, layer: Labels) -> None:
        self._layer = layer
        self._confine = Confine.BACKGROUND
        self._start: int | None = None
        layer.events.mode.connect(self._take_over)
        self.confine = Confine.BACKGROUND
        self._take_over()
        # What bucket and polygon paint goes through here, an undo step of its own; and nothing else does.
        self._theirs = {name: getattr(layer, name, None) for name in (_MASK, _POLYGON)}
        if all(self._theirs.values()):
            setattr(layer, _MASK, self._paint_mask)
            setattr(layer, _POLYGON, self._paint_polygon)

    @property
    def confine(self) -> Confine:
        """What may be painted over."""
        return self._confine

    @confine.setter
    def confine(self, confine: Confine) -> None:
        self._confine = confine
        # napari's checkbox says the same, as far as it can.
        self._layer.preserve_labels = confine is Confine.BACKGROUND

    def rule(self, inside: int = 0) -> Rule:
        """The rule for tools and strokes; `inside` is the label that a stroke starts on."""
        return Rule(self._confine, inside, scheme_of(self._layer)[0])

    def release(self) -> None:
        """Give the layer its own brush back."""
        self._layer.events.mode.disconnect(self._take_over)
        for name in (_MASK, _POLYGON):
            vars(self._layer).pop(name, None)
        mode = self._layer.mode
        self._drop()
        if mode in _PAINTING:
            self._layer.mode = "pan_zoom"
            self._layer.mode = mode

    def _paint_polygon(self, points: Sequence[Sequence[float]], new_label: int) -> None:
        self._start = _label_at(self._layer.data, np.asarray(points[0], float))
        try:
            self._theirs[_POLYGON](points, new_label)
        finally:
            self._start = None

    def _paint_mask(self, data: np.ndarray, mask: np.ndarray, new_label: int, place: Any) -> Any:
        """Paint where `mask` is, as far as the rule allows. A bucket lies on one label alone."""
        under = np.asarray(data)[np.broadcast_to(mask, data.shape)]
        if not len(under):
            return None
        start = int(np.bincount(under).argmax()) if self._start is None else self._start
        erase = new_label == 0
        allowed = self.rule(start).allows(np.asarray(data), start if erase else int(new_label), erase)
        return self._theirs[_MASK](data, mask & allowed, new_label, place)

    def _take_over(self, event: object = None) -> None:
        """After every change of mode, put our callback where napari's is."""
        self._drop()
        if self._layer.mode in _PAINTING:
            callbacks = self._layer.mouse_drag_callbacks
            for theirs in [c for c in callbacks if getattr(c, "__name__", "") == "draw"]:
                callbacks.remove(theirs)
            callbacks.append(self._draw)

    def _drop(self) -> None:
        if self._draw in self._layer.mouse_drag_callbacks:
            self._layer.mouse_drag_callbacks.remove(self._draw)

    def _draw(self, layer: Labels, event: Any) -> Iterator[None]:
        """One stroke, from press to release: one step to undo."""
        if event.button != 1 or layer.cursor == "circle_frozen":
            return
        shown = volume_axes(event.dims_displayed, len(event.position))
        if len(shown) != 2:
            return
        last = np.asarray(layer.world_to_data(event.position))
        under = _label_at(layer.data, last)
        erase = layer.mode == "erase" or layer.selected_label == 0
        # What is erased is what the eraser was put on, whatever is chosen for painting.
        label = under if erase and under else int(layer.selected_label)
        brush = _Stroke(label, erase, self.rule(under), shown)
        with layer.block_history():
            self._paint(last, last, brush)
            yield
            while event.type == "mouse_move":
                last = self._paint_to(event, last, brush)
                yield
            # Moves that follow each other too closely are left out on the way here, the last one of a
            # quick stroke too: it ends where the button was released, not where the last move was heard.
            self._paint_to(event, last, brush)

    def _paint_to(self, event: Any, last: np.ndarray, brush: _Stroke) -> np.ndarray:
        here = np.asarray(self._layer.world_to_data(event.position))
        if not np.array_equal(here, last):
            self._paint(last, here, brush)
        return here

    def _paint(self, start: np.ndarray, stop: np.ndarray, brush: _Stroke) -> None:
        layer, shown = self._layer, brush.shown
        spacing = tuple(float(v) for v in layer.scale)
        radius = layer.brush_size / 2 * min(spacing[n] for n in shown)
        axes = range(3) if layer.n_edit_dimensions == 3 else shown
        if layer.n_edit_dimensions != 3:
            # On the slice that is shown, wherever between two the slider stands.
            fixed = next(n for n in range(3) if n not in shown)
            start, stop = start.copy(), stop.copy()
            start[fixed] = stop[fixed] = round(float(start[fixed]))
        edit = stroke(
            layer.data, tuple(start), tuple(stop), radius, brush.label, spacing, axes, brush.rule, brush.erase
        )
        if len(edit):
            layer.data_setitem(edit.index, edit.values.astype(layer.data.dtype))


def rule_for_tools(rule: Rule, label: int) -> Rule:
    """The rule of the brush, for a tool that has no place where it starts."""
    return replace(rule, confine=Confine.BACKGROUND) if rule.confine is Confine.INSIDE else rule


def _label_at(labels: np.ndarray, point: np.ndarray) -> int:
    index = tuple(round(float(v)) for v in point)
    there = all(0 <= v < size for v, size in zip(index, labels.shape, strict=True))
    return int(labels[index]) if there else 0
