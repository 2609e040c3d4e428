"""From a finding to its place: the scan and its labels as layers, the view moved there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal

from napari_spineseg.io.layers import layer_tuple_for_scan, layer_tuple_for_segmentation
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import go_to, placement_of
from napari_spineseg.widgets.worker import Job

if TYPE_CHECKING:
    from napari_spineseg.datasets.findings import Finding
    from napari_spineseg.progress import Control
    from napari_spineseg.scan import Scan, Segmentation


class CaseOpener(QObject):
    """Opens cases of a dataset; one that is open already is not opened twice."""

    opening = Signal(str)
    """A case is read: large ones take their time."""
    opened = Signal(object)
    failed = Signal(object)
    ended = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None

    def open(self, folder: Path, finding: Finding) -> None:
        """Show the case of a finding, at its place."""
        if self._job is not None and self._job.running:
            return
        there = self._there(folder, finding.case)
        if there is not None:
            self._go(there, finding)
            return
        job = self._job = Job(
            lambda control: _read(folder, finding.case, control), f"Opening {finding.case}", owner=self
        )
        job.returned.connect(lambda read: self._show(folder, finding, *read))
        job.failed.connect(self.failed)
        job.ended.connect(self.ended)
        self.opening.emit(finding.case)
        job.start()

    def _there(self, folder: Path, case: str) -> Labels | None:
        key = (str(folder), case)
        return next((s for s in self._session.segmentations() if about(s).get("case") == key), None)

    def _show(self, folder: Path, finding: Finding, scan: Scan | None, segmentation: Segmentation) -> None:
        viewer = self._session.viewer
        data, options, _ = layer_tuple_for_segmentation(segmentation)
        labels = Labels(data, **{**options, "name": f"{finding.case}_labels"})
        labels.metadata["spineseg"]["case"] = (str(folder), finding.case)
        if scan is not None:
            voxels, options, _ = layer_tuple_for_scan(scan)
            image = Image(voxels, **{**options, "name": finding.case})
            viewer.layers.append(image)
            if image.data.shape == labels.data.shape:
                self._session.link(labels, image)
                place = placement_of(image)
                labels.scale, labels.translate = place["scale"], place["translate"]
        viewer.layers.append(labels)
        viewer.layers.selection.active = labels
        viewer.reset_view()
        self._go(labels, finding)

    def _go(self, labels: Labels, finding: Finding) -> None:
        viewer = self._session.viewer
        for layer in layers_of(viewer):
            layer.visible = layer is labels  # another patient's would be in the way
        scan = self._session.scan_of(labels)
        if scan is not None:
            scan.visible = True
        viewer.layers.selection.active = labels
        place = finding.place
        if place is None:
            place = tuple((np.array(labels.data.shape) - 1) // 2)
        go_to(viewer, tuple(float(v) for v in labels.data_to_world(place)))
        if finding.labels:
            labels.selected_label = int(finding.labels[0])
        self.opened.emit(finding)


def _read(folder: Path, name: str, control: Control) -> tuple[Scan | None, Segmentation]:
    from napari_spineseg.datasets.cases import find_cases

    case = next(case for case in find_cases(folder) if case.name == name)
    control.check()
    return case.read_scan(), case.read_labels()
