"""Which scan and segmentation the pages work on. Needs no window: a viewer model is enough."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt

from napari_spineseg.widgets.picker import LayerPicker, uncover
from napari_spineseg.widgets.session import is_scan, is_segmentation, session_of


@pytest.fixture
def model():
    return ViewerModel()


def volume(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((4, 6, 5))


def test_follows_the_selected_layer(model):
    session = session_of(model)
    first, second = model.add_image(volume(), name="a"), model.add_image(volume(), name="b")
    assert session.scan is second
    model.layers.selection.active = first
    assert session.scan is first


def test_a_flat_or_coloured_picture_is_no_scan(model):
    session = session_of(model)
    flat = model.add_image(np.zeros((6, 5)))
    coloured = model.add_image(np.zeros((4, 6, 3), np.uint8), rgb=True)
    assert session.scan is None and session.scans() == []
    assert not is_scan(flat) and not is_scan(coloured)


def test_previews_and_uncertainty_are_not_offered(model):
    preview = model.add_labels(np.zeros((4, 6, 5), int), metadata={"spineseg": {"kind": "preview"}})
    unsure = model.add_image(volume(), metadata={"spineseg": {"kind": "uncertainty"}})
    assert not is_segmentation(preview) and not is_scan(unsure)
    session = session_of(model)
    assert session.scan is None and session.segmentation is None


def test_choosing_a_segmentation_brings_its_scan_along(model):
    session = session_of(model)
    scans = [model.add_image(volume(), name=name) for name in "ab"]
    labels = [model.add_labels(np.ones((4, 6, 5), int), name=name) for name in "AB"]
    for segmentation, scan in zip(labels, scans, strict=True):
        session.link(segmentation, scan)
    model.layers.selection.active = labels[0]
    assert session.scan is scans[0] and session.segmentation is labels[0]
    model.layers.selection.active = scans[1]
    assert session.segmentation is labels[1]


def test_a_scan_without_a_segmentation_shows_none(model):
    session = session_of(model)
    model.add_image(volume(), name="a")
    model.add_labels(np.ones((4, 6, 5), int))
    assert session.segmentation is not None
    model.add_image(np.zeros((3, 3, 3)), name="another size")
    assert session.segmentation is None


def test_segmentations_of_another_place_do_not_belong(model):
    session = session_of(model)
    here, there = np.eye(4), np.eye(4)
    there[0, 3] = 50
    scan = model.add_image(volume(), metadata={"spineseg": {"affine": here}})
    near = model.add_labels(np.ones((4, 6, 5), int), metadata={"spineseg": {"affine": here.tolist()}})
    far = model.add_labels(np.ones((4, 6, 5), int), metadata={"spineseg": {"affine": there.tolist()}})
    assert session.scan_of(near) is scan
    assert session.scan_of(far) is None


def test_removing_the_scan_falls_back_to_another(model):
    session = session_of(model)
    first, second = model.add_image(volume(), name="a"), model.add_image(volume(), name="b")
    model.layers.remove(second)
    assert session.scan is first
    model.layers.remove(first)
    assert session.scan is None


def test_changes_are_told_once(model):
    session = session_of(model)
    seen = []
    session.scan_changed.connect(seen.append)
    scan = model.add_image(volume())
    model.layers.selection.active = None
    model.layers.selection.active = scan
    assert seen == [scan]


def test_two_viewers_have_two_sessions(model):
    other = ViewerModel()
    scan = model.add_image(volume())
    assert session_of(model) is session_of(model)
    assert session_of(model) is not session_of(other)
    assert session_of(model).scan is scan and session_of(other).scan is None


def test_a_session_does_not_keep_its_viewer(model):
    other = ViewerModel()
    session, viewer = weakref.ref(session_of(other)), weakref.ref(other)
    del other
    gc.collect()
    assert viewer() is None and session() is None


def test_another_scan_is_shown_where_it_has_slices(model):
    """The slider stood beyond its end: the picture went on showing the scan before."""
    session = session_of(model)
    long = model.add_image(np.zeros((50, 20, 20)), scale=(3.0, 1, 1), name="long")
    model.dims.set_point(0, 120.0)
    short = model.add_image(np.zeros((10, 20, 20)), scale=(3.0, 1, 1), name="short")
    assert session.scan is short and model.dims.point[0] == pytest.approx(13.5, abs=1.6)
    session.scan = long
    assert model.dims.point[0] == pytest.approx(13.5, abs=1.6)  # it has a slice there


def test_a_scan_that_is_chosen_in_the_list_is_seen_alone(model, qtbot):
    session = session_of(model)
    first, second = (model.add_image(np.zeros((5, 20, 20)), name=name) for name in ("first", "second"))
    labels = model.add_labels(np.ones((5, 20, 20), int), name="mine")
    session.link(labels, first)
    picker = LayerPicker(session, "scan")
    qtbot.addWidget(picker)
    picker.show()
    picker.setFocus()
    choose(picker, "first", qtbot)
    assert [x.visible for x in (first, second, labels)] == [True, False, True]
    assert model.layers.selection.active is first
    choose(picker, "second", qtbot)
    assert [x.visible for x in (first, second, labels)] == [False, True, False]


def choose(picker, text, qtbot):
    """With the keys, as a person would."""
    key = Qt.Key.Key_Up if picker.findText(text) < picker.currentIndex() else Qt.Key.Key_Down
    while picker.currentText() != text:
        before = picker.currentIndex()
        qtbot.keyClick(picker, key)
        assert picker.currentIndex() != before


def test_labels_are_seen_over_another_sequence_that_was_opened_on_top_of_them(model, qtbot):
    """Else strokes go into labels that lie unseen under the picture."""
    session = session_of(model)
    scan = model.add_image(np.zeros((5, 20, 20)), name="T2")
    labels = model.add_labels(np.ones((5, 20, 20), int), name="T2_seg")
    session.link(labels, scan)
    sequence = model.add_image(np.zeros((5, 20, 20)), name="T1")
    hidden = model.add_image(np.zeros((5, 20, 20)), name="STIR", visible=False)
    model.layers.selection.active = labels
    assert uncover(session, labels) == []
    qtbot.wait(10)
    assert [layer.name for layer in model.layers] == ["T2", "T1", "T2_seg", "STIR"]
    assert sequence.visible and not hidden.visible
    assert model.layers.selection.active is labels


def test_what_lies_over_a_segmentation_on_another_grid_is_hidden(model):
    """Else one patient's picture is looked at while another's labels are drawn."""
    session = session_of(model)
    grid = {"scale": (3.0, 1, 1)}
    scan = model.add_image(np.zeros((5, 20, 20)), name="mine", **grid)
    labels = model.add_labels(np.ones((5, 20, 20), int), name="mine_seg", **grid)
    session.link(labels, scan)
    sequence = model.add_image(np.zeros((5, 20, 20)), name="mine, T1", **grid)
    other = model.add_image(np.zeros((7, 20, 20)), name="other", **grid)
    others = model.add_labels(np.ones((7, 20, 20), int), name="other_seg", **grid)
    assert uncover(session, labels) == ["other", "other_seg"]
    assert [x.visible for x in (scan, labels, sequence, other, others)] == [True, True, True, False, False]
    assert uncover(session, labels) == []
    # Whoever looks at another sequence goes on looking at it; labels that are gone to are seen.
    scan.visible = labels.visible = False
    uncover(session, labels)
    assert [x.visible for x in (scan, labels, sequence)] == [False, True, True]
    sequence.visible = False
    uncover(session, labels)
    assert scan.visible
