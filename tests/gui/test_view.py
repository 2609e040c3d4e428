"""Moving to a structure."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel

from napari_spineseg.widgets.view import centre_of, go_to, sagittal_index


def test_centre_is_on_the_slice_that_shows_most():
    labels = np.zeros((5, 20, 20), np.uint16)
    labels[1, 2:4, 2:4] = 7
    labels[3, 10:15, 6:11] = 7
    assert centre_of(labels, 7) == (3.0, 12.0, 8.0)
    assert centre_of(labels, 8) is None


def make_viewer() -> ViewerModel:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((10, 100, 80)), scale=(4, 0.5, 0.5))
    viewer.canvas.size = (400, 400)
    viewer.scene.camera.zoom = 5
    viewer.scene.camera.center = (0, 25, 20)
    return viewer


def test_goes_to_the_slice_and_leaves_the_camera_when_the_place_is_in_sight():
    viewer = make_viewer()
    go_to(viewer, (12, 30, 25))
    assert viewer.dims.current_step[0] == 3
    assert viewer.scene.camera.center == (0, 25, 20)


def test_moves_the_camera_to_what_is_out_of_sight():
    viewer = make_viewer()
    viewer.scene.camera.zoom = 40
    go_to(viewer, (12, 45, 10))
    assert viewer.scene.camera.center[-2:] == (45, 10)


def test_slice_of_the_sagittal_view_only():
    viewer = make_viewer()
    layer = viewer.layers[0]
    viewer.dims.set_point(0, 20)
    assert sagittal_index(viewer, layer) == 5
    viewer.dims.order = (1, 0, 2)
    assert sagittal_index(viewer, layer) is None
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    assert sagittal_index(viewer, layer) is None
