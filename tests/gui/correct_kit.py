"""What the tests of the Correct page share: a corrected-to-be scan in a window, and a mouse."""

from __future__ import annotations

import numpy as np
from gui_kit import add_scan, column_scan, sagittal_labels
from napari.layers import Labels, Layer
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

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
    canvas = canvas_of(viewer)
    points = [on_canvas(viewer, layer, index) for index in indices]
    QTest.mouseMove(canvas, points[0])
    QTest.mousePress(canvas, button, keys, points[0])
    for point in points[1:]:
        QTest.mouseMove(canvas, point)
    QTest.mouseRelease(canvas, button, keys, points[-1])


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
