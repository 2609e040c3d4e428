"""Labels that may be of either of two scans: the page asks which, and keeps nothing until it is told."""

from __future__ import annotations

import numpy as np
import pytest
from correct_kit import add_labels, key, press, settle, wait_until
from gui_kit import add_scan, click, clipped, column_scan, sagittal_labels
from qtpy.QtCore import Qt

from napari_spineseg.corrections.store import CorrectionsStore, default_store
from napari_spineseg.errors import StoreError
from napari_spineseg.widgets.drawn_on import DrawnOn


def sequence(name: str, factor: int = 1):
    scan = column_scan(name)
    return scan.with_voxels((scan.voxels * factor).astype(np.int16))


@pytest.fixture
def scans(viewer, page):
    return {"T1": add_scan(viewer, sequence("T1")), "T2": add_scan(viewer, sequence("T2", 2))}


@pytest.fixture
def mask(viewer, page, scans):
    layer = add_labels(viewer, column_scan("mask"), sagittal_labels())
    viewer.dims.set_current_step(0, 3)
    layer.brush_size, layer.selected_label = 6, 2
    settle(page)
    return layer


@pytest.fixture
def question(page):
    return page.findChild(DrawnOn)


def draw(viewer, layer) -> None:
    key(viewer, "P")
    press(viewer, layer, (3, 5, 34))


def choose(question, name: str, qtbot) -> None:
    """With the keys, past the other scan, and the button."""
    assert not question.button.isEnabled()
    question.choice.setFocus()
    while question.choice.currentText() != name:
        before = question.choice.currentIndex()
        qtbot.keyClick(question.choice, Qt.Key.Key_Down)
        assert question.choice.currentIndex() != before and question.isVisible()
    click(qtbot, question.button)


def kept() -> list[str]:
    try:
        return [entry.name for entry in CorrectionsStore(default_store()).entries()]
    except StoreError:
        return []


def test_it_asks_in_place_and_keeps_nothing_before(viewer, page, qtbot, scans, mask, question):
    assert question.words.words == "mask_seg fits T1 and T2: choose the scan that it was drawn on."
    assert question.isVisible() and clipped(page) == []
    assert "not known which scan" in page.hint.words
    draw(viewer, mask)
    click(qtbot, page.run_bar.button)
    assert page.card.headline.words == "Not saved" and page.keeper.idle
    settle(page)
    assert kept() == []


def test_what_was_drawn_before_it_was_told_is_kept_with_the_scan_that_was_meant(
    viewer, page, qtbot, scans, mask, question
):
    before = mask.data.copy()
    draw(viewer, mask)
    choose(question, "T1", qtbot)
    assert question.isHidden() and page.session.scan is scans["T1"]
    click(qtbot, page.run_bar.button)
    settle(page)
    (entry,) = CorrectionsStore(default_store()).entries()
    assert entry.name == "T1"
    # What the model said is what was there before anybody drew.
    turn = column_scan().grid.to_orientation()
    assert np.array_equal(turn.apply(entry.predictions[-1].load().labels), before)
    assert np.array_equal(turn.apply(entry.latest.load().labels), mask.data)


def test_a_wrong_choice_is_taken_back_until_something_is_drawn(viewer, page, qtbot, scans, mask, question):
    choose(question, "T1", qtbot)
    assert question.isVisible() and not question.choice.isVisible() and clipped(page) == []
    assert question.words.words == "mask_seg counts as drawn on T1."
    click(qtbot, question.change)
    assert page.keeper.idle and question.choice.isVisible() and not question.change.isVisible()
    assert page.session.scan_of(mask) is None and "drawn_on" not in mask.metadata["spineseg"]
    choose(question, "T2", qtbot)
    settle(page)
    draw(viewer, mask)
    # Corrections are kept with T2 from now on.
    assert page.session.scan_of(mask) is scans["T2"] and question.isHidden()
    wait_until(lambda: kept() == ["T2"])


def test_a_wrong_guess_can_be_put_right(viewer, page, qtbot, question):
    """The right scan was opened last, when there was one already that fits."""
    add_scan(viewer, sequence("T1"))
    layer = add_labels(viewer, column_scan("mask"), sagittal_labels())
    settle(page)
    assert question.isHidden()  # there is no other to choose
    add_scan(viewer, sequence("T2", 2))
    viewer.layers.selection.active = layer
    assert question.words.words == "mask_seg counts as drawn on T1."
    click(qtbot, question.change)
    choose(question, "T2", qtbot)
    settle(page)
    assert page.session.scan_of(layer) is viewer.layers["T2"] and not page.keeper.idle


def test_choosing_another_scan_later_does_not_move_them(viewer, page, qtbot, scans, mask, question):
    choose(question, "T2", qtbot)
    viewer.layers.selection.active = scans["T1"]
    assert page.layer is None
    viewer.layers.selection.active = mask
    settle(page)
    assert page.session.scan is scans["T2"] and question.choice.isHidden()
    draw(viewer, mask)
    click(qtbot, page.run_bar.button)
    wait_until(lambda: kept() == ["T2"])


def test_a_guess_is_given_up_before_anything_is_kept_with_it(viewer, page, qtbot, question):
    """Of files that are opened together the labels may come first, and then the wrong scan."""
    layer = add_labels(viewer, column_scan("mask"), sagittal_labels())
    add_scan(viewer, sequence("T1"))
    settle(page)
    viewer.layers.selection.active = layer
    assert page.layer is layer and not page.keeper.idle
    add_scan(viewer, sequence("T2", 2))
    viewer.layers.selection.active = layer
    assert page.keeper.idle and question.isVisible()
    settle(page)
    assert kept() == []


def test_a_scan_that_is_closed_and_opened_again_is_corrected_on(viewer, page, qtbot, question, tmp_path):
    from napari_spineseg.io import write_scan

    write_scan(column_scan("T2"), path := tmp_path / "T2.nii.gz")
    viewer.open(path, plugin="spineseg")
    layer = add_labels(viewer, column_scan("mask"), sagittal_labels())
    settle(page)
    draw(viewer, layer)
    page.keeper.look()
    settle(page)
    viewer.layers.remove("T2")
    add_scan(viewer, sequence("T1"))
    viewer.layers.selection.active = layer
    assert question.words.words.startswith("mask_seg was drawn on T2, which is not open")
    viewer.open(path, plugin="spineseg")
    viewer.layers.selection.active = layer
    settle(page)
    assert question.isHidden() and page.session.scan is viewer.layers["T2"]
    draw(viewer, layer)
    click(qtbot, page.run_bar.button)
    settle(page)
    assert kept() == ["T2"] and page.keeper.entry.latest is not None
