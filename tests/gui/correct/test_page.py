"""The Correct page with a real mouse and real keys on the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from correct_kit import key, press, wait_until
from gui_kit import add_scan, click, clipped, column_scan
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_spineseg.corrections.confine import Confine
from napari_spineseg.widgets.correct.history import History
from napari_spineseg.widgets.correct.keys import CORRECT_KEYS
from napari_spineseg.widgets.correct.page import CorrectPage
from napari_spineseg.widgets.dock import SpineSegDock
from napari_spineseg.widgets.parts import bring_into_sight
from napari_spineseg.widgets.view import go_to


def test_it_is_a_step_of_the_dock(viewer, qtbot, spineseg_home):
    dock = SpineSegDock(viewer)
    viewer.window.add_dock_widget(dock, name="SpineSeg")
    wait_until(dock.isVisible)
    click(qtbot, dock.steps["Correct"])
    wait_until(dock.findChild(CorrectPage).isVisible)


def test_without_a_segmentation_it_says_what_to_do(viewer, page):
    assert page.empty.isVisible() and not page.run_bar.isVisible()
    assert page.empty.title.words == "No scan yet" and page.empty.button.isVisible()
    add_scan(viewer)
    assert page.empty.title.words == "No segmentation yet" and not page.empty.button.isVisible()
    assert "Segment page" in page.empty.what.words


def test_a_second_scan_without_a_segmentation_says_what_to_do_too(viewer, page, layer):
    first = page.session.scan
    other = column_scan("other")
    second = add_scan(viewer, other.with_voxels(other.voxels[:, :, :5]))
    assert page.session.scan is second and page.layer is None
    assert page.empty.isVisible() and not page.run_bar.isVisible()
    assert page.empty.title.words == "No segmentation yet"
    viewer.layers.selection.active = first
    assert page.layer is layer and page.run_bar.isVisible() and not page.empty.isVisible()


def test_another_sequence_that_is_opened_does_not_hide_what_is_drawn(viewer, page, layer):
    scan = page.session.scan
    sequence = viewer.add_image(np.array(scan.data), name="T1", scale=scan.scale)
    wait_until(lambda: viewer.layers.index(layer) > viewer.layers.index(sequence))
    assert layer.visible and sequence.visible


def test_keys_whose_controls_may_be_out_of_sight_say_what_they_set(viewer, page, layer):
    layer.brush_size = 20
    said = {name: (key(viewer, name), page.hint.words, viewer.status)[1:] for name in ("B", "D", "]", "2")}
    assert said["B"] == ("Painting: protect other structures.",) * 2
    assert said["D"] == ("The brush paints through several slices.",) * 2
    assert said["]"] == ("Brush of 22.0 mm.",) * 2
    assert said["2"] == (f"Drawing {page.picker.choice.currentText()}.",) * 2


def test_the_status_bar_names_the_keys_of_the_page(viewer, page, layer, qtbot):
    """napari's own, 1 to 7 for its tools, choose structures here."""
    key(viewer, "P")
    # A bracket such as napari's <P> would begin a paragraph, below the edge.
    assert (
        "1 to 5 for the structures" in viewer.help and "<" not in viewer.help and "eraser" not in viewer.help
    )
    viewer.layers.selection.active = page.session.scan
    assert "structures" not in viewer.help
    viewer.layers.selection.active = layer
    assert "structures" in viewer.help
    page.hide()
    assert "structures" not in viewer.help and "eraser" in viewer.help
    page.show()


def test_what_unfolds_below_the_edge_comes_into_sight(viewer, page, layer, qtbot):
    page.resize(page.width(), 500)
    fold = page.advanced
    bring_into_sight(fold)
    qtbot.wait(50)
    click(qtbot, fold.toggleButton())
    note = page.review.note
    qtbot.waitUntil(lambda: note.visibleRegion().boundingRect() == note.rect())


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


def test_beside_a_time_series_all_of_it_works_on_the_slice_that_is_shown(viewer, page, layer, qtbot):
    """The window has four axes then, and the volume the last three of them."""
    viewer.add_image(np.zeros((2, *layer.data.shape), np.uint8), scale=(1, *layer.scale), visible=False)
    viewer.layers.selection.active = layer
    assert viewer.dims.ndim == 4
    viewer.dims.set_current_step(1, 3)
    changed = []
    for do in (
        lambda: (key(viewer, "P"), press(viewer, layer, (3, 5, 34), (3, 7, 35))),
        lambda: key(viewer, "="),
        lambda: (key(viewer, "Shift-T"), press(viewer, layer, (3, 53, 4), (3, 53, 26))),
    ):
        before = layer.data.copy()
        do()
        changed.append(set(np.nonzero(before != layer.data)[0].tolist()))
    assert changed[:2] == [{3}, {3}] and changed[2]
    page.linked.toggle()
    go_to(viewer, layer.data_to_world((1, 20, 12)))
    assert layer.world_to_data(viewer.dims.point)[0] == pytest.approx(1)
    assert page.linked.views.point[0] == pytest.approx(1)


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


@pytest.mark.parametrize(
    ("confine", "taken"),
    [
        (Confine.BACKGROUND, set()),
        (Confine.STRUCTURE, set()),
        (Confine.INSIDE, {100}),
        (Confine.ANYWHERE, {100}),
    ],
)
def test_the_bucket_keeps_to_the_rule(viewer, page, layer, confine, taken):
    """L4 is poured over the canal."""
    page.draw.confine.setCurrentIndex(list(Confine).index(confine))
    before = layer.data.copy()
    key(viewer, "F")
    press(viewer, layer, (3, 40, 28))
    assert set(before[layer.data != before]) == taken
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before)


@pytest.mark.parametrize(
    ("confine", "taken"),
    [
        (Confine.BACKGROUND, {0}),
        (Confine.STRUCTURE, {0, 1}),
        (Confine.INSIDE, {1}),
        (Confine.ANYWHERE, {0, 1, 100}),
    ],
)
def test_the_polygon_keeps_to_the_rule(viewer, page, layer, confine, taken):
    """From inside L5 over background and canal."""
    page.draw.confine.setCurrentIndex(list(Confine).index(confine))
    before = layer.data.copy()
    layer.mode = "polygon"
    layer.paint_polygon([(3, 70, 15), (3, 70, 34), (3, 76, 34), (3, 76, 15)], 2)
    assert set(before[layer.data != before]) == taken
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, before)
    page.hide()
    layer.paint_polygon([(3, 70, 15), (3, 70, 34), (3, 76, 34), (3, 76, 15)], 2)
    layer.preserve_labels = False
    layer.paint_polygon([(3, 70, 15), (3, 70, 34), (3, 76, 34), (3, 76, 15)], 4)
    assert set(before[layer.data == 4]) >= {0, 1, 100}


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


def test_undo_and_redo_are_buttons_in_sight(viewer, page, layer, qtbot):
    before = layer.data.copy()
    assert not page.undo_bar.undo.isEnabled() and not page.undo_bar.redo.isEnabled()
    click(qtbot, page.tools.buttons["grow"])
    after = layer.data.copy()
    assert not np.array_equal(after, before) and page.undo_bar.kept.words == "Not on disk yet"
    click(qtbot, page.undo_bar.undo)
    assert np.array_equal(layer.data, before) and not page.undo_bar.undo.isEnabled()
    click(qtbot, page.undo_bar.redo)
    assert np.array_equal(layer.data, after) and not page.undo_bar.redo.isEnabled()
    page.keeper.look()
    wait_until(lambda: page.undo_bar.kept.words == "Kept on disk")


def test_what_is_undone_is_said_in_the_page_and_in_the_status_bar(viewer, page, layer, qtbot):
    click(qtbot, page.tools.buttons["grow"])
    grown = page.hint.words
    assert grown.startswith("Grew by ") and grown.endswith("(L4).")
    key(viewer, "P")
    press(viewer, layer, (3, 5, 35), (3, 8, 35))
    key(viewer, "Control-Z")
    assert page.hint.words == viewer.status == "Undone: painted L4."
    click(qtbot, page.undo_bar.undo)
    assert page.hint.words == viewer.status == f"Undone: g{grown[1:]}"
    key(viewer, "Control-Z")
    assert page.hint.words == viewer.status == "There is nothing to undo."
    click(qtbot, page.undo_bar.redo)
    assert page.hint.words == viewer.status == f"Redone: g{grown[1:]}"


def test_undo_speaks_in_the_status_bar_without_the_page_too(viewer, page, layer):
    key(viewer, "E")
    press(viewer, layer, (3, 50, 15))
    page.hide()
    key(viewer, "Control-Z")
    assert viewer.status == "Undone: erased."


def test_saving_and_what_is_said_stay_in_sight_however_far_the_page_is_scrolled(viewer, page, layer):
    page.window().resize(1000, 500)
    page.say("Grew by 1 mm.", stays=True)
    wait_until(lambda: not page.hint.visibleRegion().isEmpty())
    for part in (page.run_bar.button, page.undo_bar.undo, page.hint):
        assert part.visibleRegion().boundingRect() == part.rect()


def test_strokes_from_before_the_page_can_be_undone_too(qapp):
    """napari took them; the page goes on where its own steps end."""
    other = Labels(np.zeros((2, 3, 3), np.uint16))
    other.data_setitem((np.array([0]), np.array([0]), np.array([0])), 7)
    late = History(other)
    assert late.can_undo and late.undo() and other.data[0, 0, 0] == 0
    assert late.can_redo and late.redo() and other.data[0, 0, 0] == 7
