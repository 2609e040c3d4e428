"""The brush: napari's paint and erase modes, but only where it may go, and round in millimetres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_spineseg.corrections.confine import Confine, Rule
from napari_spineseg.corrections.tools.brush import stroke
from napari_spineseg.widgets.legend import scheme_of

_PAINTING = ("paint", "erase")


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
        layer.events.mode.connect(self._take_over)
        self.confine = Confine.BACKGROUND
        self._take_over()

    @property
    def confine(self) -> Confine:
        """What may be painted over."""
        return self._confine

    @confine.setter
    def confine(self, confine: Confine) -> None:
        self._confine = confine
        # So that napari's bucket and polygon, which are not ours, spare what they can.
        self._layer.preserve_labels = confine is Confine.BACKGROUND

    def rule(self, inside: int = 0) -> Rule:
        """The rule for tools and strokes; `inside` is the label that a stroke starts on."""
        return Rule(self._confine, inside, scheme_of(self._layer)[0])

    def release(self) -> None:
        """Give the layer its own brush back."""
        self._layer.events.mode.disconnect(self._take_over)
        mode = self._layer.mode
        self._drop()
        if mode in _PAINTING:
            self._layer.mode = "pan_zoom"
            self._layer.mode = mode

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
        shown = list(event.dims_displayed)
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
