"""What GUI tests share: a scan whose labels are known, and a stand-in for the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

import numpy as np

from napari_spineseg.anatomy_words import summarise
from napari_spineseg.grid import SAGITTAL, Grid
from napari_spineseg.instances.numbering import Alternative
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.segment import SegmentResult, SegmentSettings

TILES = 8
PATIENCE_MS = 60_000
SCALE = 3  # grey value of a voxel in `column_scan` per unit of its label


def open_window(make_napari_viewer, qtbot):
    """A visible napari window."""
    viewer = make_napari_viewer(show=False)
    viewer.window.resize(1000, 700)  # the processor draws it: smaller is faster
    viewer.window.show()
    qtbot.waitUntil(viewer.window._qt_window.isVisible)
    return viewer


def open_page(viewer, qtbot):
    dock, widget = viewer.window.add_plugin_dock_widget("spineseg", "SpineSeg")
    qtbot.waitUntil(dock.isVisible)
    return widget.show_page("Segment")


def narrow(viewer, page, qtbot, width: int) -> None:
    """Make the dock `width` pixels wide."""
    from qtpy.QtCore import Qt

    dock = page.window()
    docked = viewer.window.dock_widgets["SpineSeg (spineseg)"].parent()
    dock.resizeDocks([docked], [width], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: docked.width() <= width)


def sagittal_labels() -> np.ndarray:
    """(6, 80, 40): four vertebrae and discs above one another, a canal behind them."""
    labels = np.zeros((6, 80, 40), np.uint16)
    for level in range(4):
        bottom = 78 - 19 * level
        labels[1:5, bottom - 12 : bottom, 8:22] = level + 1
        labels[1:5, bottom - 17 : bottom - 13, 9:21] = 201 + level + 1
    labels[2:4, :, 26:31] = 100
    return labels


def column_scan(name: str = "column", codes: str = "SAL") -> Scan:
    """A scan whose grey values are `SCALE` times `sagittal_labels`, in an order that has to be undone."""
    sagittal = Grid((6, 80, 40), np.array([[4.0, 0, 0, -8], [0, 0, -1, 30], [0, -1, 0, 20], [0, 0, 0, 1]]))
    assert sagittal.orientation == "".join(SAGITTAL)
    turn = sagittal.to_orientation(tuple(codes))
    voxels = turn.apply(sagittal_labels().astype(np.int16) * SCALE)
    return Scan(np.ascontiguousarray(voxels), turn.grid.affine, name=name, sequence="T2")


def add_scan(viewer, scan: Scan | None = None):
    from napari.layers import Layer

    from napari_spineseg.io.layers import layer_tuple_for_scan

    return viewer.add_layer(Layer.create(*layer_tuple_for_scan(scan or column_scan())))


@dataclass
class FakeJob:
    """What stand-ins for long jobs share: they go on when they may, and fail where a test says so."""

    may_go_on: Event = field(default_factory=Event)
    started: Event = field(default_factory=Event)
    finished: Event = field(default_factory=Event)
    error: Exception | None = None

    def work(self, control: Control, stage: str, steps: int) -> None:
        """Go through the steps, telling each."""
        self.started.set()
        try:
            for step in range(steps):
                control.step(stage, step, steps)
                assert self.may_go_on.wait(60)
                if self.error is not None:
                    raise self.error
            control.step(stage, steps, steps)
        finally:
            self.finished.set()


def held(job: FakeJob):
    """For a fixture: a stand-in that goes on by itself; clear `may_go_on` to hold it at its next step."""
    job.may_go_on.set()
    yield job
    job.may_go_on.set()
    if job.started.is_set():
        assert job.finished.wait(60), "the job of a test went on after it"


@dataclass
class FakeSegment(FakeJob):
    """Stands in for the network: takes its labels from the grey values, tile by tile, when it may."""

    settings: list[SegmentSettings] = field(default_factory=list)
    alternatives: tuple[Alternative, ...] = ()

    def __call__(self, scan: Scan, settings: SegmentSettings, control: Control) -> SegmentResult:
        self.settings.append(settings)
        self.work(control, "Segmenting", TILES)
        labels = (scan.voxels // SCALE).astype(np.uint16)
        segmentation = Segmentation(labels, scan.affine, f"{scan.name}_seg", warnings=("Look at L5.",))
        uncertainty = np.full(labels.shape, 0.25, np.float16) if settings.uncertainty else None
        return SegmentResult(
            segmentation, uncertainty, {"predict": 1.0}, summarise(np.unique(labels)), self.alternatives
        )


def click(qtbot, button) -> None:
    """Press a button with the mouse."""
    from qtpy.QtCore import Qt

    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def segment(page, qtbot) -> None:
    """Press *Segment* and wait for the end of the job."""
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(lambda: page.job is None)


def start(page, fake: FakeSegment, qtbot) -> None:
    """Press *Segment*; the job is held at its first tile."""
    fake.may_go_on.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(fake.started.is_set)


def go_on(page, fake: FakeSegment, qtbot) -> None:
    """Let the job go on, to its end."""
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None)


def clipped(root) -> list[str]:
    """Texts below `root` that are visible and do not fit where they stand."""
    from qtpy.QtCore import QPoint
    from qtpy.QtWidgets import QAbstractButton, QLabel, QScrollArea

    found = []
    for widget in root.findChildren((QLabel, QAbstractButton)):
        unseen = not widget.isVisible() or widget.visibleRegion().isEmpty()
        if unseen or not widget.text() or isinstance(widget.parent(), QScrollArea):
            continue
        right = widget.mapTo(root, QPoint(widget.width(), 0)).x()
        if isinstance(widget, QLabel) and widget.wordWrap():
            fits = widget.height() >= widget.heightForWidth(widget.width())
            fits &= widget.width() >= widget.minimumSizeHint().width()
        else:
            fits = (
                widget.width() >= widget.sizeHint().width()
                and widget.height() >= widget.fontMetrics().height()
            )
        if not fits or right > root.width():
            found.append(
                f"{type(widget).__name__} {widget.text()!r} {widget.size()} ends at {right} of {root.width()}"
            )
    return found


def shown_alone(page, qtbot, width: int = 320):
    """`page` without a napari window around it, on top and seen. Many times quicker than a window."""
    qtbot.addWidget(page)
    page.resize(width, 900)
    page.show()
    qtbot.waitUntil(page.isVisible)
    page.activateWindow()
    return page
