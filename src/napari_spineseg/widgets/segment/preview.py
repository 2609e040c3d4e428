"""The model's answer for the slice that is shown, before the whole scan is segmented."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, Signal

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.errors import SettingsError
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.widgets.known import KEY
from napari_spineseg.widgets.live_preview import LivePreview
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import placement_of

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan
    from napari_spineseg.segment import SegmentSettings


class SlicePreview(LivePreview):
    """Draws structures over the slice. Slices already seen stay until the scan or the settings change."""

    drawn = Signal(int)

    def __init__(self, session: Session, settings: Callable[[], SegmentSettings], parent: QObject) -> None:
        super().__init__(session, parent)
        self._settings = settings
        self._scan: Scan | None = None
        self._seen: set[int] = set()
        self._hidden: list[Labels] = []

    def restart(self) -> None:
        """Forget the slices seen so far: the settings are others now."""
        if self.active:
            self._seen.clear()
            if self._layer is not None:
                self._layer.data[:] = 0
                self._layer.refresh()
            self.refresh()

    def _begin(self, layer: Image) -> None:
        self._scan = scan_from_layer(layer)

    def _forget(self) -> None:
        self._scan = None
        self._seen.clear()
        there = self._session.segmentations()
        for layer in self._hidden:
            if layer in there:
                layer.visible = True
        self._hidden.clear()

    def _draw_slice(self, index: int) -> None:
        if index in self._seen:
            self.message.emit("")
            return
        try:
            scan, settings, scan_layer = self._scan, self._settings(), self._scan_layer
        except SettingsError as error:
            self._on_failed(error)
            return
        self._work(
            lambda control: _predict(scan, settings, index),
            lambda mask: self._show(scan_layer, settings, index, mask),
            self._on_failed,
            "" if self._seen else "Loading the model …",
        )

    def _show(self, scan_layer: Image, settings: SegmentSettings, index: int, mask: np.ndarray) -> None:
        if scan_layer is not self._scan_layer or settings != self._settings():
            return  # the person has moved on
        if self._layer is None:
            self._hide_results(scan_layer)
            self._add_layer(_empty_labels(scan_layer), len(self._session.viewer.layers))
        self._layer.data[index] = mask
        self._layer.refresh()
        self._seen.add(index)
        self.message.emit("")
        self.drawn.emit(index)

    def _hide_results(self, scan_layer: Image) -> None:
        """Two segmentations on top of each other mix to colours that are in no legend."""
        self._hidden = [s for s in self._session.over(scan_layer) if s.visible]
        for layer in self._hidden:
            layer.visible = False


def _empty_labels(scan: Image) -> Labels:
    """Labels over a scan that a person cannot paint in."""
    colours = {int(s): colour_of(int(s), "structures") for s in Structure if s}
    layer = Labels(
        # The zeros cost no memory until a slice is drawn into them.
        np.zeros(scan.data.shape, np.uint8),
        name="preview",
        **placement_of(scan),
        opacity=0.45,
        colormap=DirectLabelColormap(color_dict={**colours, None: "transparent"}),
        metadata={KEY: {"kind": "preview"}},
    )
    layer.editable = False
    return layer


def _predict(scan: Scan, settings: SegmentSettings, index: int) -> np.ndarray:
    from napari_spineseg.segment import preview_slice

    return preview_slice(scan, settings, index)
