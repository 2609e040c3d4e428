"""Carry over on the page: correct a slice by hand, press a key, and the others follow as one step."""

from __future__ import annotations

from threading import Event

import numpy as np
from correct_kit import add_segmentation, key, opened, press, settle, wait_until
from gui_kit import click, sagittal_labels

from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.carry import carry_over


def open_short_body(viewer, page):
    """L4 lacks its upper half on every slice; a large brush that may only paint over background."""
    labels = sagittal_labels()
    body = labels[:, 47:53]
    body[body == 2] = 0
    layer = opened(viewer, page, labels, at=2)
    layer.brush_size = 7
    layer.selected_label = 2
    return layer


def held_up(monkeypatch, stage: str, first: tuple[int, int], second: tuple[int, int]) -> Event:
    """Carrying over tells its `first` step, waits for the event, and must be stopped by the `second`."""
    may_go_on = Event()

    def slow(labels, base, corrected, spacing, image, control, scheme):
        control.step(stage, *first)
        assert may_go_on.wait(60)
        control.step(stage, *second)
        raise AssertionError("it went on")

    monkeypatch.setattr("napari_spineseg.widgets.correct.carry.carry_over", slow)
    return may_go_on


def paint_upper_half(viewer, layer) -> None:
    key(viewer, "P")
    press(viewer, layer, (2, 50, 10), (2, 50, 15), (2, 50, 19))


def carry(viewer, page) -> None:
    key(viewer, "G")
    wait_until(lambda: not page.carry.busy)


def test_what_was_painted_on_a_slice_comes_to_the_others_as_one_step(viewer, page, qtbot):
    layer = open_short_body(viewer, page)
    before = layer.data.copy()
    paint_upper_half(viewer, layer)
    painted = layer.data.copy()
    assert page.carry.corrected == [2]
    click(qtbot, page.tools.buttons["carry"])
    wait_until(lambda: not page.carry.busy)
    carried = layer.data.copy()
    changed = carried != painted
    assert changed[[1, 3, 4]].any((1, 2)).all() and not changed[[0, 2, 5]].any()
    assert set(np.unique(carried[changed])) == {2} and (painted[changed] == 0).all()
    assert "Carried 1 corrected slice" in page.hint.words == viewer.status and page.carry.corrected == [2]
    for _ in range(2):
        key(viewer, "Control-Z")
        assert np.array_equal(layer.data, painted) and page.carry.corrected == [2]
        key(viewer, "Control-Shift-Z")
        assert np.array_equal(layer.data, carried)
    key(viewer, "Control-Z")
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before) and page.carry.corrected == []


def test_without_a_corrected_slice_it_says_what_to_do(viewer, page):
    layer = open_short_body(viewer, page)
    before = layer.data.copy()
    carry(viewer, page)
    assert page.hint.words.startswith("Correct a slice first") and np.array_equal(layer.data, before)


def test_tools_through_all_slices_are_no_corrections_by_hand(viewer, page):
    layer = open_short_body(viewer, page)
    page.whole.setChecked(True)
    key(viewer, "=")
    assert page.carry.corrected == []
    paint_upper_half(viewer, layer)
    assert page.carry.corrected == [2]
    key(viewer, "=")
    assert page.carry.corrected == [2]  # it was corrected before, and still is
    layer.selected_label = 1
    key(viewer, "M")
    press(viewer, layer, (2, 57, 15))
    assert page.carry.corrected == []  # other structures: it begins anew


def test_drawing_meanwhile_loses_nothing(viewer, page, monkeypatch):
    drawn_on = Event()

    def slow(*arguments):
        assert drawn_on.wait(60)
        return carry_over(*arguments)

    monkeypatch.setattr("napari_spineseg.widgets.correct.carry.carry_over", slow)
    layer = open_short_body(viewer, page)
    paint_upper_half(viewer, layer)
    page.carry.run()
    press(viewer, layer, (2, 5, 35))
    drawn = layer.data.copy()
    drawn_on.set()
    wait_until(lambda: not page.carry.busy)
    assert np.array_equal(layer.data, drawn) and "again" in page.hint.words
    carry(viewer, page)
    assert not np.array_equal(layer.data, drawn)


def test_what_is_corrected_is_remembered_from_layer_to_layer(viewer, page):
    layer = open_short_body(viewer, page)
    paint_upper_half(viewer, layer)
    other = add_segmentation(viewer, name="other")
    settle(page)
    assert page.layer is other and page.carry.corrected == []
    viewer.layers.selection.active = layer
    settle(page)
    assert page.carry.corrected == [2]


def test_what_was_renumbered_and_undone_is_not_carried(viewer, page):
    layer = open_short_body(viewer, page)
    paint_upper_half(viewer, layer)
    painted = layer.data.copy()
    page.relabel("L3", Numbering())
    assert not np.array_equal(layer.data, painted)
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, painted) and page.carry.corrected == [2]
    carry(viewer, page)
    assert set(np.unique(layer.data[layer.data != painted])) == {2}


def test_the_bar_of_the_page_shows_how_far_it_is_and_stops_it(viewer, page, qtbot, monkeypatch):
    layer = open_short_body(viewer, page)
    paint_upper_half(viewer, layer)
    painted = layer.data.copy()
    may_go_on = held_up(monkeypatch, "Learning the style", (3, 300), (4, 300))
    click(qtbot, page.tools.buttons["carry"])
    bar = page.run_bar
    wait_until(lambda: (bar.bar.value(), bar.bar.maximum()) == (3, 300))
    assert bar.bar.isVisible() and not bar.button.isVisible()
    assert "Learning the style: 3 of 300" in bar.bar.toolTip()
    click(qtbot, bar.stop)
    may_go_on.set()
    wait_until(lambda: not page.carry.busy)
    assert bar.button.isVisible() and np.array_equal(layer.data, painted)
    assert page.hint.words == "Stopped. Nothing was changed."


def test_the_same_key_stops_it(viewer, page, monkeypatch):
    layer = open_short_body(viewer, page)
    paint_upper_half(viewer, layer)
    painted = layer.data.copy()
    may_go_on = held_up(monkeypatch, "Carrying over", (0, 6), (1, 6))
    key(viewer, "G")
    wait_until(lambda: "the same again stops it" in page.hint.words)
    key(viewer, "G")
    key(viewer, "G")
    assert page.hint.words == "Still stopping; press it again in a moment."
    may_go_on.set()
    wait_until(lambda: not page.carry.busy)
    assert page.hint.words == "Stopped. Nothing was changed." and np.array_equal(layer.data, painted)
