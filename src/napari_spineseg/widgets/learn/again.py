"""Segmenting every open scan anew, with a model that was just learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.progress import Control
from napari_spineseg.segment import SegmentResult, SegmentSettings, segment
from napari_spineseg.widgets.picker import uncover
from napari_spineseg.widgets.run_bar import RunBar
from napari_spineseg.widgets.segment.result_layers import result_layer
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan


class SegmentAgain(QObject):
    """A button and its job. What was segmented before is hidden and kept."""

    ended = Signal()
    failed = Signal(str)

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self.key = ""
        self.bar = RunBar("Re-segment open scans")
        self.bar.button.setObjectName("segment_again")
        self.bar.started.connect(self.start)

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._job is not None

    def start(self) -> None:
        """Segment the scans of the window with the model `key`."""
        if self._job is not None or not self.key:
            return
        scans = [(layer, scan_from_layer(layer)) for layer in self._session.scans()]
        settings = SegmentSettings(model=self.key)
        done: list[tuple[SegmentResult, Image, Scan]] = []

        def work(control: Control) -> None:
            for layer, scan in scans:
                done.append((segment(scan, settings, control), layer, scan))

        job = self._job = Job(work, f"Segmenting with {self.key}", owner=self)
        job.failed.connect(lambda error: self.failed.emit(report(error)))
        job.ended.connect(lambda: self._on_ended(done))
        self.bar.follow(job)
        job.start()

    def _on_ended(self, done: list[tuple[SegmentResult, Image, Scan]]) -> None:
        self._job = None
        session = self._session
        for result, scan_layer, scan in done:
            if scan_layer not in layers_of(session.viewer):
                continue
            layer = result_layer(result, scan, scan_layer)
            for older in session.over(scan_layer):
                older.visible = False
            session.link(layer, scan_layer)
            session.viewer.layers.insert(layers_of(session.viewer).index(scan_layer) + 1, layer)
            session.segmentation = layer
            uncover(session, layer)
        self.ended.emit()
