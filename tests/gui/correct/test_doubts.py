"""Where to look next, in a real window: by the rules at once, by the model as soon as it has answered."""

from __future__ import annotations

import numpy as np
from correct_kit import UNSURE, add_labels, add_segmentation, key, settle, wait_until
from gui_kit import add_scan, click, column_scan, sagittal_labels

from napari_spineseg.errors import ModelError


def kinds(page) -> list[str]:
    return [doubt.kind for doubt in page.doubts.doubts]


def test_after_a_default_run_of_segment_the_model_is_asked(viewer, page, asked, layer):
    """No uncertainty layer is there: the list knows where the model guessed all the same."""
    assert len(viewer.layers) == 2 and asked.models == ["lumbar@1"]
    assert "unsure" in kinds(page) and not page.doubts.why.isVisible()
    assert not page.doubts.asking.isVisible()
    doubt = next(d for d in page.doubts.doubts if d.kind == "unsure")
    assert np.abs(np.subtract(doubt.point, UNSURE)).max() <= 2
    while page.doubts.current != doubt:
        key(viewer, "N")
    assert viewer.dims.current_step[0] == UNSURE[0] and layer.selected_label == doubt.label
    assert page.hint.words == f"{page.doubts.count.words}: {page.doubts.reason.words}."


def test_while_it_is_asked_the_rules_speak_and_the_window_works(viewer, page, asked):
    asked.may_go_on.clear()
    labels = sagittal_labels()
    labels[labels == 3] = 0
    layer = add_segmentation(viewer, labels)
    wait_until(lambda: page.doubts._job is None and bool(page.doubts.doubts))
    assert page.doubts.asking.isVisible() and "unsure" not in kinds(page)
    wait_until(lambda: "of 8" in page.doubts.asking.bar.text())
    key(viewer, "N")
    here = page.doubts.current
    key(viewer, "P")
    assert here is not None and layer.mode == "paint"
    asked.may_go_on.set()
    settle(page)
    # The list is another one, and who stood at a place stands there still.
    assert "unsure" in kinds(page) and page.doubts.current.same_as(here, (4, 1, 1))


def test_asking_can_be_stopped_and_taken_up_again(viewer, page, asked, qtbot):
    asked.may_go_on.clear()
    layer = add_segmentation(viewer)
    wait_until(lambda: page.doubts.asking.isVisible() and page.doubts._job is None)
    assert "now the model is asked" in page.doubts.count.words
    click(qtbot, page.doubts.asking.stop_button)
    asked.may_go_on.set()
    settle(page)
    assert "was stopped" in page.doubts.why.words and "unsure" not in kinds(page)
    viewer.layers.selection.active = viewer.layers[0]
    viewer.layers.selection.active = layer
    settle(page)
    assert len(asked.models) == 1  # stopped is stopped
    click(qtbot, page.doubts.again)
    settle(page)
    assert "unsure" in kinds(page) and not page.doubts.why.isVisible() and len(asked.models) == 2


def test_where_nobody_can_be_asked_it_says_so(viewer, page, asked):
    scan = column_scan()
    unknown = add_labels(viewer, scan, sagittal_labels(), model="")
    settle(page)
    assert page.doubts.why.words.endswith("the scan of this segmentation is not open.")
    add_scan(viewer, scan)
    settle(page)
    viewer.layers.selection.active = unknown
    assert "which model made this segmentation is not known" in page.doubts.why.words
    add_labels(viewer, scan, sagittal_labels(), model="nobody")
    settle(page)
    assert page.doubts.why.words.startswith("By the rules of anatomy alone:")
    assert "nobody" in page.doubts.why.words and asked.models == []


def test_a_model_that_fails_is_said_in_one_sentence(viewer, page, asked):
    asked.error = ModelError("lumbar.safetensors cannot be read.")
    add_segmentation(viewer)
    settle(page)
    assert page.doubts.why.words == "By the rules of anatomy alone: lumbar.safetensors cannot be read."


def test_another_layer_is_asked_about_while_the_first_still_is(viewer, page, asked):
    asked.may_go_on.clear()
    first = add_segmentation(viewer, name="first")
    wait_until(lambda: len(asked.models) == 1)
    second = add_segmentation(viewer, name="second")
    wait_until(lambda: len(asked.models) == 2)
    asked.may_go_on.set()
    settle(page)
    assert page.layer is second and "unsure" in kinds(page)
    viewer.layers.selection.active = first
    settle(page)
    assert "unsure" in kinds(page) and len(asked.models) == 3


def test_a_hidden_page_asks_nobody(viewer, page, asked):
    page.hide()
    add_segmentation(viewer)
    settle(page)
    assert asked.models == []
    page.show()
    settle(page)
    assert len(asked.models) == 1 and "unsure" in kinds(page)


def test_doubtful_places_one_after_the_other(viewer, page, layer, qtbot):
    layer.data[layer.data == 3] = 0
    layer.data[:, 40:46][layer.data[:, 40:46] == 100] = 0
    page.doubts.check()
    settle(page)
    total = len(page.doubts.doubts)
    assert total >= 2 and page.doubts.count.words == f"{total} places to look at"
    key(viewer, "N")
    first = page.doubts.current
    assert page.doubts.reason.words == first.words
    assert viewer.dims.current_step[0] == round(first.point[0])
    key(viewer, "N")
    key(viewer, "Shift-N")
    assert page.doubts.current is first
    key(viewer, "Y")
    assert first not in page.doubts.doubts and len(page.doubts.doubts) == total - 1
    page.doubts.check()
    settle(page)
    assert not any(d.same_as(first, (4, 1, 1)) for d in page.doubts.doubts)


def test_a_key_pressed_while_places_are_looked_for_is_answered_once_they_are_there(viewer, page, layer):
    doubts = page.doubts
    viewer.layers.selection.active = viewer.layers[0]
    page.session.segmentation = None
    page.session.segmentation = layer
    assert doubts._job is not None and not doubts.doubts
    doubts.step(1)
    assert "Looking for" in page.hint.words
    settle(page)
    assert doubts.current is doubts.doubts[0]
    assert page.hint.words == f"{doubts.count.words}: {doubts.reason.words}."


def test_a_ring_shows_the_place_and_goes_with_it(viewer, page, asked, layer, qtbot):
    click(qtbot, page.doubts.next)
    ring, doubt = page.doubts.marker.layer, page.doubts.current
    assert ring in viewer.layers and viewer.layers.selection.active is layer
    assert np.allclose(ring.data_to_world(ring.data[0]), layer.data_to_world(np.round(doubt.point)), atol=1)
    steps = [r.step for r in viewer.dims.range]
    assert np.allclose(steps, layer.scale)  # the slider goes slice by slice as before
    click(qtbot, page.doubts.next)
    assert [x.name for x in viewer.layers].count("look here") == 1
    assert np.allclose(ring.data[0, 1:], page.doubts.current.point[1:])
    viewer.layers.remove(ring)  # a person may take it away
    click(qtbot, page.doubts.next)
    assert page.doubts.marker.layer in viewer.layers
    page.hide()
    assert all(x.name != "look here" for x in viewer.layers)
    page.show()


def test_labels_with_nothing_in_them_are_not_called_sound(viewer, page):
    add_segmentation(viewer, np.zeros_like(sagittal_labels()))
    wait_until(lambda: page.doubts._job is None)
    assert page.doubts.count.words == "Nothing is labelled yet: choose a structure below and paint it."
