"""What has been measured of which layer, and whether the layer still is what was measured."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from dataclasses import dataclass

from napari.layers import Labels, Layer
from psygnal import Signal

from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.measure_work import Result


class Watch:
    """Notices, from the moment it is made, when a labels layer gets other voxels, numbers or spacing."""

    changed = Signal()
    """The layer is no longer what it was; sent once."""

    def __init__(self, layer: Labels) -> None:
        # A closed layer is large; who watched it must not keep it.
        self._layer = weakref.ref(layer)
        self._said = scheme_of(layer)
        self._changed = False
        self._events = (layer.events.paint, layer.events.data, layer.events.scale)
        for event in self._events:
            event.connect(self._on_changed)

    @property
    def stale(self) -> bool:
        """Whether the layer has changed. Names of levels are looked at now: metadata tell nobody."""
        layer = self._layer()
        return self._changed or layer is None or scheme_of(layer) != self._said

    def stop(self) -> None:
        """Look no longer."""
        for event in self._events:
            event.disconnect(self._on_changed)

    def _on_changed(self, event: object = None) -> None:
        if not self._changed:
            self._changed = True
            self.changed.emit()


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
