"""What the tests of the Correct page share: a corrected-to-be scan in a window, and a mouse."""

from __future__ import annotations

import numpy as np
from gui_kit import add_scan, column_scan, sagittal_labels
from napari.layers import Labels, Layer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_spineseg.io.layers import layer_tuple_for_segmentation
from napari_spineseg.scan import Segmentation


def add_segmentation(
    viewer, labels: np.ndarray | None = None, model: bool = True, name: str = "column"
) -> Labels:
    """The scan of the kit and a segmentation of it, as a model would have left them."""
    scan = column_scan(name)
    add_scan(viewer, scan)
    return add_labels(viewer, scan, sagittal_labels() if labels is None else labels, model)


def add_labels(viewer, scan, labels: np.ndarray, model: bool = True) -> Labels:
    turn = scan.grid.to_orientation()
    provenance = {"model": {"name": "lumbar", "version": "1", "sha256": "0"}} if model else {}
    segmentation = Segmentation(
        np.ascontiguousarray(turn.invert(labels)), scan.affine, f"{scan.name}_seg", provenance=provenance
    )
    return viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(segmentation)))


def canvas_of(viewer):
    return viewer.window._qt_viewer.canvas.native


def on_canvas(viewer, layer, index) -> QPoint:
    """Where on the canvas a voxel is."""
    camera = viewer.scene.camera
    shown = list(viewer.dims.displayed)
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
