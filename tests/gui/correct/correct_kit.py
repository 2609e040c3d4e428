"""What the tests of the Correct page share: a corrected-to-be scan in a window, and a mouse."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event
from unittest.mock import patch

import napari
import numpy as np
from gui_kit import PATIENCE_MS, TILES, add_scan, column_scan, sagittal_labels
from napari.layers import Labels, Layer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.corrections.doubt import Cells
from napari_spineseg.corrections.doubt.unsure import expected_cells
from napari_spineseg.io.layers import layer_tuple_for_segmentation
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.widgets.view import volume_axes

UNSURE = (3, 15, 15)
"""Where the model of these tests guessed, sagittal voxels: in the uppermost body."""


def one_window() -> Iterator[napari.Viewer]:
    """A napari window for all tests of a module: to open one takes longer than most tests do.

    What pytest's `make_napari_viewer` does for one test is done here once: fresh settings, no thread
    that outlives the window, and a window that is really gone at the end.
    """
    from napari._app_model._app import NapariApplication, _napari_names
    from napari._qt._qapp_model.qactions import init_qactions
    from napari._qt.qt_viewer import QtViewer
    from napari.plugins import _initialize_plugins
    from napari.settings import get_settings

    gc.collect()
    gc.freeze()  # what earlier modules loaded; see the hook in tests/conftest.py
    app = NapariApplication("one_window")
    app.injection_store.namespace = _napari_names
    circle = "napari._vispy.overlays.brush_circle.VispyBrushCircleOverlay"
    with (
        # napari 0.9.2 shows the brush as a circle while the mouse is over the canvas. Mesa's software
        # renderer ends the process when it draws that (in glDrawArrays), in napari alone too.
        patch(f"{circle}._on_visible_change"),
        patch(f"{circle}._on_mouse_over_canvas"),
        patch.object(NapariApplication, "get_app_model", return_value=app),
        patch("napari._qt.threads.status_checker.StatusChecker.start"),
    ):
        get_settings().reset()
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        viewer = napari.Viewer(show=False, show_welcome_screen=False)
        viewer.window.resize(1000, 700)  # the processor draws it: smaller is faster
        viewer.window.show()
        wait_until(viewer.window._qt_window.isVisible)
        yield viewer
        with patch.object(viewer.window._qt_window, "_save_current_window_settings"):
            viewer.close()
        NapariApplication.destroy("one_window")
    del viewer
    _initialize_plugins.cache_clear()
    init_qactions.cache_clear()
    gc.collect()
    QTest.qWait(50)
    QtViewer._instances.clear()


def emptied(viewer: napari.Viewer) -> None:
    """Leave the shared window as the next test wants to find it."""
    for widget in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(widget)
        widget.deleteLater()
    QTest.qWait(10)  # which is when Qt deletes them
    viewer.layers.clear()
    viewer.dims.reset()
    viewer.theme = "dark"
    QTest.qWait(10)


def dock_page(viewer: napari.Viewer, page: QWidget, width: int = 320) -> QWidget:
    """Show a page in a dock of that width."""
    dock = viewer.window.add_dock_widget(page, name="Correct", area="right")
    wait_until(dock.isVisible)
    dock.setFixedWidth(width)
    return page


def wait_until(done) -> None:
    """Let the window work until `done()`; fail where it takes for ever."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {done}"
        QTest.qWait(10)


def settle(page) -> None:
    """Wait until nothing is read, written or looked for."""
    doubts = page.doubts
    wait_until(lambda: not page.keeper.busy and doubts._job is None and not doubts.asking.busy)


@dataclass
class FakeAsk:
    """Stands in for asking the model where it guessed: at `UNSURE`, tile by tile, when it may go on."""

    may_go_on: Event = field(default_factory=Event)
    models: list[str] = field(default_factory=list)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.may_go_on.set()

    def __call__(self, scan: Scan, model: LoadedModel, control: Control) -> Cells:
        self.models.append(f"{model.card.name}@{model.card.version}")
        for tile in range(TILES):
            control.step("Segmenting", tile, TILES)
            assert self.may_go_on.wait(PATIENCE_MS / 1000)
        if self.error is not None:
            raise self.error
        sure = np.zeros(scan.sagittal().shape, np.float32)
        index, row, column = UNSURE
        sure[index, row - 4 : row + 5, column - 4 : column + 5] = 1
        return expected_cells(sure, scan.grid.to_orientation().grid.spacing)


def add_segmentation(
    viewer, labels: np.ndarray | None = None, model: str = "lumbar", name: str = "column"
) -> Labels:
    """The scan of the kit and a segmentation of it, as a model would have left them."""
    scan = column_scan(name)
    add_scan(viewer, scan)
    return add_labels(viewer, scan, sagittal_labels() if labels is None else labels, model)


def add_labels(viewer, scan, labels: np.ndarray, model: str = "lumbar") -> Labels:
    turn = scan.grid.to_orientation()
    provenance = {"model": {"name": model, "version": "1", "sha256": "0"}} if model else {}
    segmentation = Segmentation(
        np.ascontiguousarray(turn.invert(labels)), scan.affine, f"{scan.name}_seg", provenance=provenance
    )
    return viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(segmentation)))


def opened(viewer, page, labels: np.ndarray | None = None, at: int = 3) -> Labels:
    """A segmentation to correct, at a slice, once the page has settled."""
    layer = add_segmentation(viewer, labels)
    viewer.dims.set_current_step(0, at)
    settle(page)
    return layer


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def on_canvas(viewer, layer, index) -> QPoint:
    """Where on the canvas a voxel is."""
    camera = viewer.scene.camera
    shown = volume_axes(viewer.dims.displayed, viewer.dims.ndim)
    world = np.asarray(layer.data_to_world(index))[shown]
    size = np.array([canvas_of(viewer).height(), canvas_of(viewer).width()])
    row, column = (world - np.asarray(camera.center)[-2:]) * camera.zoom + size / 2
    return QPoint(round(float(column)), round(float(row)))


def press(
    viewer, layer, *indices, button=Qt.MouseButton.LeftButton, keys=Qt.KeyboardModifier.NoModifier
) -> None:
    """Press at the first voxel, move over the others, release."""
    points = [on_canvas(viewer, layer, index) for index in indices]
    nothing = Qt.MouseButton.NoButton
    _send(viewer, QEvent.Type.MouseMove, points[0], nothing, nothing, keys)
    _send(viewer, QEvent.Type.MouseButtonPress, points[0], button, button, keys)
    for point in points[1:]:
        _send(viewer, QEvent.Type.MouseMove, point, nothing, button, keys)
    _send(viewer, QEvent.Type.MouseButtonRelease, points[-1], button, nothing, keys)


def _send(viewer, kind, point, button, held, keys) -> None:
    """An event of the mouse, as the window system would deliver it to the canvas."""
    canvas = canvas_of(viewer)
    place, screen = QPointF(point), QPointF(canvas.mapToGlobal(point))
    QApplication.sendEvent(canvas, QMouseEvent(kind, place, screen, button, held, keys))
    # vispy and napari both leave out moves that follow each other too closely.
    QTest.qWait(15)


def key(viewer, name: str) -> None:
    """Press a key in the picture, as napari writes it: "Shift-N"."""
    *modifiers, last = name.split("-") if len(name) > 1 else [name]
    names = {"Shift": Qt.KeyboardModifier.ShiftModifier, "Control": Qt.KeyboardModifier.ControlModifier}
    held = Qt.KeyboardModifier.NoModifier
    for modifier in modifiers:
        held |= names[modifier]
    signs = {"[": "BracketLeft", "]": "BracketRight", "=": "Equal", "-": "Minus", ",": "Comma", ".": "Period"}
    code = getattr(Qt.Key, f"Key_{signs.get(last, {'Enter': 'Return'}.get(last, last))}")
    QTest.keyClick(canvas_of(viewer), code, held)
