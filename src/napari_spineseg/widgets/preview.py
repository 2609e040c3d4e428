"""The model's answer for the slice that is shown, before the whole scan is segmented."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.errors import SettingsError
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.widgets.session import KEY, Session, layers_of, while_alive
from napari_spineseg.widgets.view import placement_of, sagittal_index
from napari_spineseg.widgets.worker import Job

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan
    from napari_spineseg.segment import SegmentSettings

_DEBOUNCE_MS = 60


class SlicePreview(QObject):
    """Draws structures over the current sagittal slice and follows the slice slider.

    One slice is computed at a time; of those asked for meanwhile only the latest counts. Slices
    already seen stay until the scan or the settings change.
    """

    message = Signal(str)
    """What to say beside the button; empty when there is nothing to say."""
    failed = Signal(object)
    drawn = Signal(int)
    ended = Signal()
    """The preview is off again, whoever turned it off."""

    def __init__(self, session: Session, settings: Callable[[], SegmentSettings], parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._settings = session, settings
        self._scan_layer: Image | None = None
        self._scan: Scan | None = None
        self._layer: Labels | None = None
        self._seen: set[int] = set()
        self._job: Job | None = None
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE_MS)
        self._timer.timeout.connect(self._draw)
        while_alive(self, session.viewer.dims.events.point, self._on_moved)
        while_alive(self, session.viewer.dims.events.order, self._on_moved)
        while_alive(self, session.viewer.dims.events.ndisplay, self._on_moved)
        while_alive(self, session.layers_changed, self._on_layers)
        while_alive(self, session.scan_changed, self._on_scan)

    @property
    def active(self) -> bool:
        """Whether the preview is on."""
        return self._scan_layer is not None

    def start(self) -> None:
        """Show the current slice of the session's scan, and every slice the person goes to.

        Raises
        ------
        ScanError
            If the layer cannot be taken as a scan.
        """
        layer = self._session.scan
        if layer is not None:
            self._scan = scan_from_layer(layer)
            self._scan_layer = layer
            self._timer.start(0)

    def stop(self) -> None:
        """Take the preview away."""
        if not self.active:
            return
        layer, self._layer = self._layer, None
        self._scan_layer = self._scan = None
        self._seen.clear()
        self._timer.stop()
        if self._job is not None:
            self._job.stop()
        if layer is not None and layer in layers_of(self._session.viewer):
            self._session.viewer.layers.remove(layer)
        self.message.emit("")
        self.ended.emit()

    def restart(self) -> None:
        """Forget the slices seen so far: the settings are others now."""
        if self.active:
            self._seen.clear()
            if self._layer is not None:
                self._layer.data[:] = 0
                self._layer.refresh()
            self._timer.start()

    def _on_moved(self, event: object = None) -> None:
        if self.active:
            self._timer.start()

    def _on_layers(self) -> None:
        """A person may remove the preview, or the scan below it."""
        layers = layers_of(self._session.viewer)
        if self._layer is not None and self._layer not in layers:
            self._layer = None
            self.stop()

    def _on_scan(self, scan: object) -> None:
        if self.active and scan is not self._scan_layer:
            self.stop()

    def _draw(self) -> None:
        if not self.active or (self._job is not None and self._job.running):
            return  # `_on_ended` looks again
        index = sagittal_index(self._session.viewer, self._scan_layer)
        if index is None:
            self.message.emit("The preview shows sagittal slices; the view shows something else.")
            return
        if index in self._seen:
            self.message.emit("")
            return
        try:
            scan, settings, scan_layer = self._scan, self._settings(), self._scan_layer
        except SettingsError as error:
            self._on_failed(error)
            return
        if not self._seen:
            self.message.emit("Loading the model …")
        job = self._job = Job(lambda control: _predict(scan, settings, index), owner=self)
        job.returned.connect(lambda mask: self._show(scan_layer, settings, index, mask))
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _show(self, scan_layer: Image, settings: SegmentSettings, index: int, mask: np.ndarray) -> None:
        if scan_layer is not self._scan_layer or settings != self._settings():
            return  # the person has moved on
        if self._layer is None:
            self._add_layer()
        self._layer.data[index] = mask
        self._layer.refresh()
        self._seen.add(index)
        self.message.emit("")
        self.drawn.emit(index)

    def _add_layer(self) -> None:
        """Add an empty labels layer over the scan; the selection stays where it is."""
        viewer, scan = self._session.viewer, self._scan_layer
        colours = {int(s): colour_of(int(s), "structures") for s in Structure if s}
        active = viewer.layers.selection.active
        # The zeros cost no memory until a slice is drawn into them.
        self._layer = viewer.add_labels(
            np.zeros(scan.data.shape, np.uint8),
            name="preview",
            **placement_of(scan),
            opacity=0.45,
            colormap=DirectLabelColormap(color_dict={**colours, None: "transparent"}),
            metadata={KEY: {"kind": "preview"}},
        )
        self._layer.editable = False
        viewer.layers.selection.active = active

    def _on_failed(self, error: Exception) -> None:
        self.stop()
        self.failed.emit(error)

    def _on_ended(self) -> None:
        self._job = None
        if self.active:
            self._timer.start(0)


def _predict(scan: Scan, settings: SegmentSettings, index: int) -> np.ndarray:
    from napari_spineseg.segment import preview_slice

    return preview_slice(scan, settings, index)
