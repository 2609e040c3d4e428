"""The Correct page with a real mouse and real keys on the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from correct_kit import (
    add_segmentation,
    canvas_of,
    key,
    press,
    settle,
    wait_until,
)
from gui_kit import click, clipped, sagittal_labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.confine import Confine
from napari_spineseg.widgets.correct_page import CorrectPage
from napari_spineseg.widgets.dock import SpineSegDock
from napari_spineseg.widgets.keys import CORRECT_KEYS
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.segment_page import SegmentPage


def test_it_is_a_step_of_the_dock(viewer, qtbot, spineseg_home):
    dock = SpineSegDock(viewer)
    viewer.window.add_dock_widget(dock, name="SpineSeg")
    wait_until(dock.isVisible)
    click(qtbot, dock.steps["Correct"])
    wait_until(dock.findChild(CorrectPage).isVisible)


def test_without_a_segmentation_it_says_what_to_do(page):
    assert page.empty.isVisible() and not page.run_bar.isVisible()


def test_a_stroke_paints_where_the_mouse_was_and_nowhere_else(viewer, page, layer, qtbot):
    before = layer.data.copy()
    key(viewer, "P")
    press(viewer, layer, (3, 50, 33), (3, 60, 33), (3, 70, 33))
    changed = layer.data != before
    rows, columns = np.nonzero(changed[3])
    assert (layer.data[changed] == 2).all() and not changed[[0, 1, 2, 4, 5]].any()
    assert rows.min() in (46, 47, 48) and rows.max() in (72, 73, 74)
    assert columns.min() >= 29 and columns.max() <= 37
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before)
    key(viewer, "Control-Shift-Z")
    assert np.array_equal(layer.data != before, changed)


def test_only_over_background_is_kept_while_painting(viewer, page, layer):
    before = layer.data.copy()
    key(viewer, "P")
    press(viewer, layer, (3, 70, 15), (3, 70, 28), (3, 70, 36))
    assert np.array_equal(layer.data[before > 0], before[before > 0])
    assert (layer.data != before).any()


@pytest.mark.parametrize(
    ("confine", "taken"),
    [(Confine.STRUCTURE, {0, 1}), (Confine.INSIDE, {1}), (Confine.ANYWHERE, {0, 1, 100, 202})],
)
def test_the_other_rules(viewer, page, layer, confine, taken):
    """From inside L5 over the disc above it, and back over the canal."""
    page.draw.confine.setCurrentIndex(list(Confine).index(confine))
    before = layer.data.copy()
    key(viewer, "P")
    press(viewer, layer, (3, 72, 15), (3, 60, 15), (3, 66, 32))
    assert set(before[layer.data != before]) == taken


def test_a_ball_paints_through_slices(viewer, page, layer):
    page.draw.confine.setCurrentIndex(list(Confine).index(Confine.ANYWHERE))
    before = layer.data.copy()
    layer.brush_size = 20
    key(viewer, "D")
    key(viewer, "P")
    press(viewer, layer, (3, 40, 35))
    changed = (layer.data != before).sum((1, 2))
    # 10 mm around: slices 4 mm apart.
    assert changed[3] > changed[2] == changed[4] > changed[1] == changed[5] > 0 and changed[0] == 0


def test_the_eraser_takes_what_it_is_put_on(viewer, page, layer):
    before = layer.data.copy()
    key(viewer, "E")
    press(viewer, layer, (3, 70, 15), (3, 70, 30))
    assert set(before[layer.data != before]) == {1} and (layer.data[layer.data != before] == 0).all()


def test_brush_keys_and_modes(viewer, page, layer):
    for name, mode in (("P", "paint"), ("E", "erase"), ("F", "fill"), ("L", "pick"), ("Z", "pan_zoom")):
        key(viewer, name)
        assert layer.mode == mode
    assert page.draw.modes["move"].isChecked() and not page.draw.modes["paint"].isChecked()
    size = layer.brush_size
    key(viewer, "]")
    assert layer.brush_size == size + 1 == page.draw.size.value()
    key(viewer, "[")
    assert layer.brush_size == size
    key(viewer, "B")
    assert page.draw.confine.currentData() is Confine.STRUCTURE


def test_recent_structures_have_keys(viewer, page, layer):
    key(viewer, "P")
    for label, row in ((3, 5), (100, 8), (1, 11)):
        layer.selected_label = label
        press(viewer, layer, (3, row, 35))
        page.picker.used()
    assert page.picker._recent[:3] == [1, 100, 3]
    key(viewer, "2")
    assert layer.selected_label == 100
    assert page.picker.recent_buttons[1].text() == "canal" and page.picker.recent_buttons[1].isChecked()


def test_names_not_numbers_in_the_picker(page, layer):
    texts = [page.picker.choice.itemText(n) for n in range(page.picker.choice.count())]
    assert texts[:2] == ["T11", "T11/T12"] and "Spinal canal" in texts and "Tumour 1" in texts
    assert page.picker.choice.currentText() == "L4"
    page.picker.choice.activated.emit(page.picker.choice.findText("L3/L4"))
    assert layer.selected_label == 203 and page.picker.choice.currentText() == "L3/L4"


# All tools take the same way; each has tests of its own without a window. So three are enough every day.
@pytest.mark.parametrize(
    ("name", "whole"),
    [
        *((name, False) for name in "AK"),
        ("=", True),
        *(pytest.param(name, False, marks=pytest.mark.slow) for name in "=-SIH,.U"),
        pytest.param("-", True, marks=pytest.mark.slow),
    ],
)
def test_every_tool_is_one_step_that_undoes_exactly(viewer, page, layer, name, whole):
    """Also after other slices were visited and another layer was selected in between."""
    data = layer.data
    rng = np.random.default_rng(0)
    data[1:5, 45:60, 8:22][rng.random((4, 15, 14)) < 0.2] = 0
    data[0, 2:5, 30:33] = 2  # an island
    data[3, 45:59, 8:22] = 0
    page.whole.setChecked(whole)
    viewer.dims.set_current_step(0, 3 if name in ",." else 2)
    before = data.copy()
    key(viewer, name)
    after = data.copy()
    assert not np.array_equal(after, before), page.hint.words
    viewer.dims.set_current_step(0, 1)
    viewer.layers.selection.active = viewer.layers[0]
    viewer.layers.selection.active = layer
    for _ in range(2):
        key(viewer, "Control-Z")
        assert np.array_equal(data, before)
        key(viewer, "Control-Shift-Z")
        assert np.array_equal(data, after)


def test_split_by_two_clicks_and_merge_by_one(viewer, page, layer):
    data = layer.data
    data[data == 2] = 1
    data[data == 202] = 1
    for old in (3, 203, 4, 204):
        data[data == old] = old - 1
    layer.selected_label = 1
    before = data.copy()
    key(viewer, "T")
    assert page.tools.buttons["split"].isChecked() and "each part" in page.hint.words
    press(viewer, layer, (3, 70, 15))
    press(viewer, layer, (3, 52, 15))
    assert sorted(np.unique(data)) == [0, 1, 2, 3, 4, 100, 201, 203, 204] or 2 in data
    assert data[3, 70, 15] == 1 and data[3, 52, 15] == 2 and data[3, 10, 15] == 4
    assert page.gestures.active is None and not page.tools.buttons["split"].isChecked()
    layer.selected_label = 1
    key(viewer, "M")
    press(viewer, layer, (3, 52, 15))
    assert data[3, 52, 15] == 1 and data[3, 10, 15] == 3
    key(viewer, "Control-Z")
    key(viewer, "Control-Z")
    assert np.array_equal(data, before)


def test_split_along_a_line(viewer, page, layer):
    layer.selected_label = 100
    layer.selected_label = 3
    key(viewer, "Shift-T")
    press(viewer, layer, (3, 33, 6), (3, 33, 15), (3, 33, 24))
    assert layer.data[3, 36, 15] == 3 and layer.data[3, 30, 15] == 4 and layer.data[3, 15, 15] == 5


def test_escape_leaves_a_click_tool(viewer, page, layer):
    key(viewer, "P")
    key(viewer, "C")
    assert page.gestures.active == "fix" and layer.mode == "pan_zoom"
    key(viewer, "Escape")
    assert (
        page.gestures.active is None and layer.mode == "paint" and not page.tools.buttons["fix"].isChecked()
    )


def test_click_to_fix_adds_and_removes(viewer, page, layer, qtbot):
    truth = sagittal_labels()
    bone, disc = (truth > 0) & (truth < 100), truth > 200
    viewer.layers[0].data = (40 + 120 * bone + 60 * disc + 200 * (truth == 100)).astype(np.int16)
    layer.data[3, 47:53][layer.data[3, 47:53] == 2] = 0
    layer.data[3, 45:58, 22:25] = 2
    layer.refresh()
    wrong = (layer.data[3] != truth[3]).sum()
    key(viewer, "C")
    # Without a model's features a click reaches little further than it can justify
    press(viewer, layer, (3, 50, 15))
    assert (layer.data[3, 48:52, 10:20] == 2).mean() > 0.5
    press(viewer, layer, (3, 50, 19))
    press(viewer, layer, (3, 50, 10))
    assert (layer.data[3, 48:52, 10:20] == 2).mean() > 0.85
    press(viewer, layer, (3, 51, 23), button=Qt.MouseButton.RightButton)
    assert layer.data[3, 51, 23] == 0
    assert (layer.data[3] != truth[3]).sum() < wrong / 2


def test_the_column_is_relabelled_with_its_names_and_back(viewer, page, layer, qtbot):
    before = layer.data.copy()
    layer.selected_label = 1
    page.column.lumbar.setCurrentIndex(page.column.lumbar.findData(6))
    page.column.lumbar.activated.emit(page.column.lumbar.currentIndex())
    page.column.level.setCurrentText("L5")
    click(qtbot, page.column.button)
    assert np.array_equal(layer.data == 2, before == 1) and np.array_equal(layer.data == 202, before == 201)
    assert scheme_of(layer)[1] == Numbering(lumbar=6)
    assert page.picker.choice.findText("L6") >= 0
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before) and scheme_of(layer)[1] == Numbering()
    key(viewer, "Control-Shift-Z")
    assert scheme_of(layer)[1] == Numbering(lumbar=6)


def test_a_new_name_alone_is_a_step_too(viewer, page, layer, qtbot):
    before = layer.data.copy()
    layer.selected_label = 1
    page.relabel("L6", Numbering(lumbar=6))
    assert np.array_equal(layer.data, before) and scheme_of(layer)[1] == Numbering(lumbar=6)
    key(viewer, "P")
    press(viewer, layer, (3, 5, 35))
    key(viewer, "Control-Z")
    assert scheme_of(layer)[1] == Numbering(lumbar=6)
    key(viewer, "Control-Z")
    assert scheme_of(layer)[1] == Numbering() and not page.history.undo()


def test_replaced_voxels_are_not_overwritten_by_undo(viewer, page, layer):
    key(viewer, "P")
    press(viewer, layer, (3, 5, 35))
    layer.data = np.full_like(layer.data, 7)
    key(viewer, "Control-Z")
    assert (layer.data == 7).all()


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


def test_every_key_of_the_table_does_something(viewer, page, layer, qtbot):
    assert set(page.actions) == {row.action for row in CORRECT_KEYS}
    assert len({row.key for row in CORRECT_KEYS}) == len(CORRECT_KEYS)
    from napari.utils.key_bindings import coerce_keybinding

    for row in CORRECT_KEYS:
        assert coerce_keybinding(row.key) in layer.keymap, row
    key(viewer, "F1")
    assert page.help_sheet.isVisible() and not page.help_sheet.isModal()
    words = " ".join(label.words for label in page.help_sheet.findChildren(type(page.hint)))
    assert all(row.words in words for row in CORRECT_KEYS)
    page.help_sheet.close()


def test_keys_work_on_the_page_too(viewer, page, layer, qtbot):
    page.draw.through.setFocus()
    QTest.keyClick(page.draw.through, Qt.Key.Key_E)
    assert layer.mode == "erase"


def test_napari_has_its_keys_and_brush_back_when_the_page_is_hidden(viewer, page, layer):
    key(viewer, "P")
    page.hide()
    names = [getattr(callback, "__name__", "") for callback in layer.mouse_drag_callbacks]
    assert names.count("draw") == 1 and "_draw" not in names
    key(viewer, "3")
    assert layer.mode == "polygon"
    page.show()
    key(viewer, "P")
    names = [getattr(callback, "__name__", "") for callback in layer.mouse_drag_callbacks]
    assert names.count("_draw") == 1 and "draw" not in names


def test_nothing_is_clipped_in_a_narrow_dock(viewer, page, layer, qtbot):
    layer.selected_label = 100
    assert clipped(page) == []


def test_another_layer_another_history(viewer, page, layer, qtbot):
    key(viewer, "P")
    before = layer.data.copy()
    press(viewer, layer, (3, 5, 35))
    painted = layer.data.copy()
    other = add_segmentation(viewer, name="other")
    settle(page)
    assert page.layer is other and canvas_of(viewer) is not None
    key(viewer, "P")
    viewer.dims.set_current_step(0, 2)
    press(viewer, other, (2, 5, 35))
    key(viewer, "Control-Z")
    assert np.array_equal(other.data, sagittal_labels()) and np.array_equal(layer.data, painted)
    viewer.layers.selection.active = layer
    settle(page)
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before)


def test_another_model_in_between_leaves_undo_as_it_was(viewer, page, layer, tiny_home, monkeypatch):
    """Draw, segment the same scan with another version, draw there, come back: each layer its own steps."""
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))
    before = layer.data.copy()
    key(viewer, "P")
    press(viewer, layer, (3, 5, 35))
    key(viewer, "=")
    states = [before, None, layer.data.copy()]
    key(viewer, "Control-Z")
    states[1] = layer.data.copy()
    key(viewer, "Control-Shift-Z")
    segmenter = SegmentPage(viewer)
    segmenter.segment("tiny")
    wait_until(lambda: segmenter.job is None)
    settle(page)
    other = page.layer
    assert other is not layer and other.metadata["spineseg"]["provenance"]["model"]["name"] == "tiny"
    there = other.data.copy()
    key(viewer, "P")
    other.selected_label = 7
    press(viewer, other, (3, 5, 33))
    assert not np.array_equal(other.data, there) and np.array_equal(layer.data, states[2])
    viewer.layers.selection.active = layer
    settle(page)
    for state in (states[1], states[0]):
        key(viewer, "Control-Z")
        assert np.array_equal(layer.data, state)
    viewer.layers.selection.active = other
    settle(page)
    key(viewer, "Control-Z")
    assert np.array_equal(other.data, there)
    viewer.layers.remove(other)
    settle(page)
    viewer.layers.selection.active = layer
    for state in (states[1], states[2]):
        key(viewer, "Control-Shift-Z")
        assert np.array_equal(layer.data, state)
    segmenter.deleteLater()
