"""The axial and coronal pictures beside the sagittal one, over a viewer without a window."""

from __future__ import annotations

import numpy as np
import pytest
from correct_kit import add_segmentation, wait_until
from qtpy.QtCore import QPoint, Qt

from napari_spineseg.widgets.correct.linked_views import LinkedViews, picture
from napari_spineseg.widgets.session import session_of
from napari_spineseg.widgets.view import go_to


@pytest.fixture
def layer(model):
    return add_segmentation(model)


@pytest.fixture
def linked(model, layer, qtbot):
    """Both views, in a dock of 320 pixels."""
    linked = LinkedViews(session_of(model))
    qtbot.addWidget(linked)
    linked.resize(320, 460)
    linked.show()
    qtbot.waitUntil(linked.isVisible)
    linked.show_layers(model.layers[0], layer)
    wait_until(lambda: all(view.picture is not None for view in linked.views.values()))
    return linked


def drawn(linked) -> None:
    wait_until(lambda: not linked._settle.isActive())


def test_they_show_the_place_that_the_viewer_shows(model, linked, layer):
    model.dims.set_current_step(0, 1)
    drawn(linked)
    assert linked.point[0] == 1
    linked.go(np.array([2.0, 70.0, 15.0]))
    drawn(linked)
    assert linked.views["Axial"]._at == [2, 70, 15] == linked.views["Coronal"]._at


def test_a_click_goes_there(model, linked, layer, qtbot):
    """At the left of the axial view is the patient's right, which is where slices count up to."""
    linked.go(np.array([1.0, 70.0, 15.0]))
    drawn(linked)
    view = linked.views["Axial"]
    frame = view._frame()
    left = QPoint(int(frame.left() + 0.1 * frame.width()), int(frame.center().y()))
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=left)
    assert linked.point[0] == 5 and linked.point[1] == 70
    assert model.dims.current_step[0] == 5
    drawn(linked)
    assert view._at[0] == 5


def test_a_tall_scan_is_shown_around_the_place(model, linked, layer, qtbot):
    """At 4 x 1 x 1 mm, 80 rows fit; of 400 only those within 50 mm are shown, and a click knows which."""
    view = linked.views["Coronal"]
    assert view.picture.height() == 80
    tall = np.zeros((6, 400, 40), np.uint16)
    tall[:, 300:310] = 1
    other = model.add_labels(tall, scale=layer.scale)
    linked.show_layers(None, other)
    linked.go(np.array([3.0, 305.0, 20.0]))
    drawn(linked)
    assert view.picture.height() == 101 and view._first == 255
    frame = view._frame()
    qtbot.mouseClick(
        view, Qt.MouseButton.LeftButton, pos=QPoint(int(frame.center().x()), int(frame.bottom()) - 1)
    )
    assert 352 <= linked.point[1] <= 355
    linked.go(np.array([3.0, 2.0, 20.0]))
    drawn(linked)
    assert view._first == 0 and view.picture.height() == 101


def test_what_is_painted_is_seen_at_once(model, linked, layer):
    linked.go(np.array([3.0, 5.0, 33.0]))
    drawn(linked)
    before = linked.views["Axial"].picture.copy()
    layer.data_setitem((np.full(3, 3), np.full(3, 5), np.arange(32, 35)), 3)
    drawn(linked)
    assert linked.views["Axial"].picture != before


def test_another_layer_and_none_at_all(model, linked, layer):
    go_to(model, layer.data_to_world((2, 10, 10)))
    linked.show_layers(None, layer)
    drawn(linked)
    model.layers.clear()
    linked.show_layers(None, None)
    linked.go(np.zeros(3))
    drawn(linked)  # nothing to draw, and nothing breaks


def test_the_picture_has_the_colours_of_the_labels():
    grey = np.linspace(0, 100, 12).reshape(3, 4)
    labels = np.zeros((3, 4), np.uint16)
    labels[1, 2] = 100
    plain = picture(grey, (0, 100), labels, "levels", with_labels=False)
    drawn = picture(grey, (0, 100), labels, "levels")
    assert (plain[..., 0] == plain[..., 2]).all() and plain.max() == 255
    differs = (drawn != plain).any(-1)
    assert differs[1, 2] and differs.sum() == 1


def test_they_are_side_by_side_where_it_is_wide(linked, qtbot):
    axial, coronal = linked.views["Axial"], linked.views["Coronal"]
    assert axial.geometry().bottom() < coronal.geometry().top()
    linked.resize(900, 220)
    wait_until(lambda: axial.geometry().right() < coronal.geometry().left())
    assert linked.minimumSizeHint().height() < 220


def test_what_is_closed_is_not_shown_any_more(model, linked, layer):
    model.layers.clear()
    linked.show_layers(None, None)
    wait_until(lambda: all(view.picture is None for view in linked.views.values()))
