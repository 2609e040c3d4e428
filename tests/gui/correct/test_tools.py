"""The tools of the Correct page with real clicks and keys, and the way back from each."""

from __future__ import annotations

import re

import numpy as np
import pytest
from correct_kit import add_segmentation, canvas_of, key, press, settle, wait_until
from gui_kit import click, sagittal_labels
from qtpy.QtCore import Qt

from napari_spineseg.anatomy import Numbering
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.segment.page import SegmentPage


# All tools take the same way; each has tests of its own without a window. So three are enough every day.
@pytest.mark.parametrize(
    ("name", "whole"),
    [
        *((name, False) for name in "AK"),
        ("=", True),
        ("X", True),
        *(pytest.param(name, False, marks=pytest.mark.slow) for name in "=-SIH,.UX"),
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
    # A click on the wrong one takes a whole vertebra: its name has to be read at once.
    assert page.hint.words == "Merged L4 into L5, and renumbered what lies above."
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
    assert re.fullmatch(r"L4: \d+\.\d\d ml more on \d slices?\.", page.hint.words)
    assert (layer.data[3, 48:52, 10:20] == 2).mean() > 0.5
    press(viewer, layer, (3, 50, 19))
    press(viewer, layer, (3, 50, 10))
    assert (layer.data[3, 48:52, 10:20] == 2).mean() > 0.85
    press(viewer, layer, (3, 51, 23), button=Qt.MouseButton.RightButton)
    assert layer.data[3, 51, 23] == 0
    assert (layer.data[3] != truth[3]).sum() < wrong / 2


def test_where_levels_are_not_told_apart_there_is_nothing_to_number(viewer, page, layer):
    structures = (sagittal_labels() > 0).astype(np.uint16)
    viewer.add_labels(structures, scale=layer.scale, metadata={"spineseg": {"scheme": "structures"}})
    settle(page)
    assert page.column.words.words.startswith("These labels tell structures apart")
    assert not page.column.button.isEnabled()


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
    # What was chosen is still chosen, under its new number: a stroke makes no L6 beside it.
    assert layer.selected_label == 2 and page.picker.choice.currentText() == "L5"
    assert page.column.words.words == "L5 is really"
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before) and scheme_of(layer)[1] == Numbering()
    assert layer.selected_label == 1 and page.picker.choice.currentText() == "L5"
    key(viewer, "Control-Shift-Z")
    assert scheme_of(layer)[1] == Numbering(lumbar=6) and layer.selected_label == 2


def test_what_was_copied_and_how_much_was_erased_is_said(viewer, page, layer):
    layer.data[0, 2:12, 30:38] = 2  # 80 voxels of 4 mm
    key(viewer, "K")
    assert page.hint.words == "Erased 1 loose piece, 0.3 ml on all slices (L4)."
    layer.data[2] = 0
    key(viewer, ",")
    assert page.hint.words == "The slice before holds nothing of this structure (L4)."
    layer.data[4, 50:52, 8:22] = 0
    key(viewer, ".")
    assert page.hint.words == "Copied the slice after (L4)."


def test_a_new_name_alone_is_a_step_too(viewer, page, layer, qtbot):
    before = layer.data.copy()
    layer.selected_label = 1
    page.relabel("L6", Numbering(lumbar=6))
    assert np.array_equal(layer.data, before) and scheme_of(layer)[1] == Numbering(lumbar=6)
    assert page.hint.words == "Renamed."  # not "It is L6 already."
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
