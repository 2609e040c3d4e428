"""What has been measured of which layer, and whether the layer still is what was measured."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from napari.layers import Labels, Layer
from psygnal import Signal

from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.measure.work import Result

# Voxels that are compared at once: a millisecond or two, which no stroke feels.
_PIECE = 1 << 21


class Watch:
    """Notices, from the moment it is made, when a labels layer gets other voxels, numbers or spacing.

    Parameters
    ----------
    then
        (slices, rows, columns) a copy of what is in the layer now, in the same order in memory, so that
        comparing is quick; without one it is never noticed that a change was undone.
    """

    changed = Signal()
    """The layer is no longer what it was, or is so again."""
    touched = Signal()
    """The layer may be another one than before: after each stroke, undo and redo."""

    def __init__(self, layer: Labels, then: np.ndarray | None = None) -> None:
        # A closed layer is large; who watched it must not keep it.
        self._layer = weakref.ref(layer)
        self._said = scheme_of(layer)
        self._scale = tuple(layer.scale)
        self._then = then
        self._changed = False
        self._alike = 0
        self._events = (layer.events.paint, layer.events.data, layer.events.scale)
        for event in self._events:
            event.connect(self._on_touched)

    @property
    def stale(self) -> bool:
        """Whether the layer has changed. Names of levels are looked at now: metadata tell nobody."""
        layer = self._layer()
        return self._changed or layer is None or scheme_of(layer) != self._said

    def look(self) -> bool:
        """Compare some more slices with what was there. Returns whether to go on: it ends at a difference."""
        layer = self._layer()
        if not self._changed or layer is None or self._then is None:
            return False
        data, place = layer.data, self._alike
        self._alike = 0
        if data.shape != self._then.shape or tuple(layer.scale) != self._scale:
            return False
        stop = place + max(1, _PIECE // data[0].size)
        if not np.array_equal(data[place:stop], self._then[place:stop]):
            return False
        if stop < len(data):
            self._alike = stop
            return True
        self._changed = False
        self.changed.emit()
        return False

    def stop(self) -> None:
        """Look no longer, and let go what was remembered."""
        self._then = None
        for event in self._events:
            event.disconnect(self._on_touched)

    def _on_touched(self, event: object = None) -> None:
        self._alike = 0
        if not self._changed:
            self._changed = True
            self.changed.emit()
        self.touched.emit()


@dataclass(frozen=True, eq=False)
class Measured:
    """A result, the layer it is of, and who watches that layer."""

    layer: Labels
    result: Result
    watch: Watch


class Kept:
    """The newest result of each layer, for as long as the layer is open."""

    def __init__(self) -> None:
        self._of: dict[Labels, Measured] = {}

    def add(self, measured: Measured) -> None:
        """Keep `measured` in place of what was known of its layer."""
        self.forget(measured.layer)
        self._of[measured.layer] = measured

    def of(self, layer: Labels | None) -> Measured | None:
        """What was measured of `layer`."""
        return self._of.get(layer) if layer is not None else None

    def forget(self, layer: Labels) -> None:
        """Let the result of `layer` go."""
        if (measured := self._of.pop(layer, None)) is not None:
            measured.watch.stop()

    def keep_only(self, layers: Collection[Layer]) -> None:
        """Let results of layers that are closed go."""
        for layer in [known for known in self._of if known not in layers]:
            self.forget(layer)
