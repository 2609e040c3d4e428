"""The Measure page with real clicks: what it needs, what it shows, and when that is out of date."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from figures_kit import (
    CAUTION,
    REASON,
    WARNING,
    add_labels,
    column_of,
    headings,
    labels_of,
    levels,
    measure,
    texts,
)
from gui_kit import add_scan, click, column_scan, sagittal_labels
from napari.layers import Layer

from napari_spineseg.errors import ScanError
from napari_spineseg.io.layers import layer_tuple_for_segmentation
from napari_spineseg.measurement import Measurements
from napari_spineseg.widgets.correct.history import history_of
from napari_spineseg.widgets.drawn_on import DrawnOn
from napari_spineseg.widgets.measure.page import LABELS_CHANGED, SETTINGS_CHANGED
from napari_spineseg.widgets.measure.result import Watch
from napari_spineseg.widgets.measure.work import NO_LABELS
from napari_spineseg.widgets.numberings import choice_of


def paint(layer, label: int) -> None:
    """A stroke of two voxels in a corner."""
    layer.data_setitem((np.array([2, 2]), np.array([0, 1]), np.array([0, 0])), label)


def test_without_anything_it_says_how_to_get_a_scan_and_without_labels_how_to_get_those(page, fake):
    assert page.empty.isVisible() and not page.run_bar.isVisible()
    add_scan(page.session.viewer)
    assert not page.empty.isVisible() and page.about.words == NO_LABELS
    assert not page.run_bar.button.isEnabled()
    page.measure()
    assert not fake.calls


def test_figures_of_the_layer_as_it_is_now(page, layer, fake, qtbot):
    paint(layer, 1)
    measure(page, qtbot)
    (segmentation, scan, settings) = fake.calls[0]
    shown = segmentation.grid.to_orientation().apply(segmentation.labels)
    assert np.array_equal(shown, layer.data) and not np.array_equal(shown, sagittal_labels())
    assert scan.name == "column" and scan.grid.same_place_as(segmentation.grid)
    assert settings.band_mm == page.advanced_form.editor("band_mm").value()


def test_the_card_in_words_and_the_table_from_the_top_down(page, layer, qtbot):
    measure(page, qtbot)
    assert page.card.headline.words == "L5–L2, 4 discs measured"
    assert page.card.remark.words == "1 figure missing; 1 to look at"
    assert page.card.sentences == [WARNING]
    table = page.panel.table
    assert levels(table) == ["L2", "L3", "L4", "L5"]
    assert (
        headings(table)[0] == "Body height, anterior (mm)"
        and headings(table)[3] == "Anterior / posterior height"
    )
    assert texts(table)[3][0] == "10.0" and texts(table)[0][0] == "40.0"
    click(qtbot, page.panel.kinds["disc"])
    assert levels(table) == ["L1/L2", "L2/L3", "L3/L4", "L4/L5"]
    click(qtbot, page.panel.kinds["spine"])
    assert levels(table) == ["Spine"] and texts(table) == [["40.0", "−2.3"]]


def test_a_missing_figure_says_why_on_hover_and_to_those_who_do_not_see_it(page, layer, qtbot):
    from qtpy.QtCore import Qt

    measure(page, qtbot)
    table = page.panel.table
    item = table.item(3, column_of(table, "Body depth (mm)"))
    assert item.text() == "–" and REASON in item.toolTip().lower()
    assert REASON in item.data(Qt.ItemDataRole.AccessibleDescriptionRole).lower()
    table.setCurrentItem(item)
    assert page.panel.what.words == "L5, Body depth: –" and REASON in page.panel.doubt.words.lower()
    assert page.panel.doubt.isVisible() and "Our definition" in page.panel.meaning.words


def test_a_doubtful_figure_has_a_sign_and_says_why(page, layer, qtbot):
    measure(page, qtbot)
    table = page.panel.table
    marked = [
        (row, column)
        for row in range(table.rowCount())
        for column in range(table.columnCount())
        if not table.item(row, column).icon().isNull()
    ]
    assert marked == [(2, 1)]
    assert CAUTION in table.item(2, 1).toolTip().lower()


def test_labels_without_levels_are_not_measured_and_it_says_what_to_do(page, fake, qtbot):
    add_labels(page.session.viewer, scheme="structures")
    assert "Each level" in page.about.words and not page.run_bar.button.isEnabled()
    page.measure()
    assert not fake.calls


def test_without_the_scan_the_rest_is_measured(page, fake, qtbot):
    viewer = page.session.viewer
    viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(labels_of(column_scan()))))
    assert "signal of discs stays unknown" in page.about.words and "not open" in page.about.words
    measure(page, qtbot)
    assert fake.calls[0][1] is None and page.card.headline.words.endswith("measured")


def test_the_scan_of_another_patient_is_not_measured_with_these_labels(page, fake, qtbot):
    viewer = page.session.viewer
    other = column_scan("other")
    moved = other.affine.copy()
    moved[:3, 3] += 40
    add_labels(viewer)
    viewer.layers.remove("column")
    add_scan(viewer, type(other)(other.voxels, moved, name="other"))
    viewer.layers.selection.active = viewer.layers["column_seg"]
    assert "None of the open scans fits" in page.about.words
    measure(page, qtbot)
    assert fake.calls[0][0].name == "column_seg" and fake.calls[0][1] is None


def test_labels_that_two_scans_fit_are_measured_with_neither_until_it_is_said(page, fake, qtbot):
    viewer = page.session.viewer
    first = add_scan(viewer, column_scan("first"))
    add_scan(viewer, column_scan("second"))
    viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(labels_of(column_scan("mask")))))
    question = page.findChild(DrawnOn)
    assert question.isVisible() and page.about.words.startswith("Their scan is not known")
    measure(page, qtbot)
    assert fake.calls[0][1] is None
    question.choice.setCurrentText("first")
    click(qtbot, question.button)
    assert question.choice.isHidden() and page.session.scan is first and page.about.words == "Scan: first"
    measure(page, qtbot)
    assert fake.calls[1][1].name == "first"


def test_a_scan_that_was_cropped_since_is_not_measured_with_them(page, layer, fake, qtbot):
    image = page.session.scan
    page.session.link(layer, image)
    image.data = image.data[:, 4:]
    measure(page, qtbot)
    assert fake.calls[0][1] is None and "not on the grid" in page.card.sentences[0]


def test_what_is_doubtful_about_the_labels_goes_with_their_figures(page, fake, qtbot):
    doubt = "The lowest vertebra may be L4."
    model = {"model": {"name": "lumbar", "version": "1", "sha256": "0"}}
    _, layer = add_labels(page.session.viewer, warnings=(doubt,), provenance=model)
    measure(page, qtbot)
    assert page.card.sentences == [doubt, WARNING]
    assert not fake.calls[0][0].provenance["labels_changed_since"]
    paint(layer, 1)
    measure(page, qtbot)
    changed = fake.calls[1][0].provenance
    assert changed["labels_changed_since"] and changed["model"] == model["model"]


@pytest.mark.parametrize("known", ["checksum", "no checksum"])
def test_whether_labels_are_what_was_segmented_goes_by_their_checksum(page, fake, qtbot, known):
    """Changed in ways that leave no trace in this window, and as many voxels of each label as before."""
    model = {"name": "lumbar", "version": "1", "sha256": "0"}
    made = labels_of(column_scan()).checksum()
    provenance = {"model": model} | ({"labels": made} if known == "checksum" else {})
    _, layer = add_labels(page.session.viewer, provenance=provenance)
    measure(page, qtbot)
    paint(layer, 1)
    layer.undo()
    measure(page, qtbot)
    layer.data = np.roll(layer.data, 1, 1)
    measure(page, qtbot)
    said = [call[0].provenance["labels_changed_since"] for call in fake.calls]
    assert said == [False, False, known == "checksum"]


def test_labels_of_other_programs_are_measured_on_their_own_scale(page, fake, qtbot):
    page.session.viewer.add_labels(sagittal_labels(), scale=(4, 1, 1), name="painted")
    measure(page, qtbot)
    assert fake.calls[0][0].found()[100] == np.count_nonzero(sagittal_labels() == 100)
    assert fake.calls[0][0].grid.spacing == (4, 1, 1)


def test_what_is_painted_afterwards_makes_the_figures_out_of_date(page, layer, qtbot):
    measure(page, qtbot)
    paint(layer, 3)
    assert page.out_of_date == LABELS_CHANGED and page.card.sentences[0] == LABELS_CHANGED
    assert page.card.headline.words.startswith("Out of date") and not page.panel.copy_button.isEnabled()
    assert not page.saver.open_button.isEnabled()
    measure(page, qtbot)
    assert not page.out_of_date and LABELS_CHANGED not in page.card.sentences
    assert page.panel.copy_button.isEnabled() and page.saver.open_button.isEnabled()


def test_what_is_undone_is_what_was_measured_again(page, layer, qtbot):
    measure(page, qtbot)
    paint(layer, 3)
    paint(layer, 1)
    history = history_of(page.session, layer)
    history.undo()
    qtbot.wait(600)  # longer than it waits before it looks
    assert page.out_of_date == LABELS_CHANGED  # one stroke of two
    history.undo()
    qtbot.waitUntil(lambda: not page.out_of_date)
    assert page.card.sentences == [WARNING] and page.panel.copy_button.isEnabled()
    assert not page.card.headline.words.startswith("Out of date") and page.saver.open_button.isEnabled()
    history.redo()
    assert page.out_of_date == LABELS_CHANGED and page.card.sentences[0] == LABELS_CHANGED


def test_what_is_undone_while_it_measures_is_what_is_measured(page, layer, fake, qtbot):
    fake.may_go_on.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(fake.started.is_set)
    paint(layer, 3)
    history_of(page.session, layer).undo()
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None)
    qtbot.waitUntil(lambda: not page.out_of_date)


def test_labels_that_are_undone_on_another_page_are_looked_at_when_this_one_is_shown(page, layer, qtbot):
    measure(page, qtbot)
    page.hide()
    paint(layer, 3)
    history_of(page.session, layer).undo()
    qtbot.wait(600)
    assert page.out_of_date  # nobody who draws waits for what nobody sees
    page.show()
    qtbot.waitUntil(lambda: not page.out_of_date)


def test_labels_that_are_put_back_otherwise_are_too(page, layer, qtbot):
    measure(page, qtbot)
    before, scale = layer.data, layer.scale
    layer.data = before[:, 1:]
    layer.scale = (4, 2, 1)
    qtbot.wait(600)
    assert page.out_of_date
    layer.data = before.copy()
    qtbot.wait(600)
    assert page.out_of_date  # not in place yet
    layer.scale = scale
    qtbot.waitUntil(lambda: not page.out_of_date)


def test_a_look_is_taken_in_pieces_that_begin_again_after_a_stroke(layer, monkeypatch):
    """None is longer than a slice here, and what was alike before a stroke is not believed after it."""
    monkeypatch.setattr("napari_spineseg.widgets.measure.result._PIECE", 1)
    watch = Watch(layer, layer.data.copy())
    layer.data_setitem((np.array([5]), np.array([0]), np.array([0])), 3)
    layer.undo()
    looks = 0
    while watch.look():
        looks += 1
        if looks == 4:
            layer.data_setitem((np.array([1]), np.array([0]), np.array([0])), 3)
    assert looks == 5 and watch.stale  # from the first slice anew, which is alike; the second is not
    layer.undo()
    looks = sum(1 for _ in iter(watch.look, False))
    assert looks == len(layer.data) - 1 and not watch.stale


def test_a_stroke_while_it_measures_makes_them_out_of_date_too(page, layer, fake, qtbot):
    fake.may_go_on.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(fake.started.is_set)
    paint(layer, 3)
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None)
    assert page.out_of_date == LABELS_CHANGED


@pytest.mark.parametrize("change", ["data", "scale", "numbering", "names"])
def test_other_changes_make_them_out_of_date(page, layer, qtbot, change):
    measure(page, qtbot)
    if change == "data":
        layer.data = np.roll(layer.data, 1, 1)
    elif change == "scale":
        layer.scale = (4, 2, 1)
    elif change == "numbering":
        other = {"lumbar": 6, "thoracic": 12, "shift": 0, "words": "The lowest is L6."}
        edit, said = choice_of(layer, other)
        history_of(page.session, layer).apply(edit, said=said)
    else:  # by a script, which tells nobody: it is seen when the page is next shown
        layer.metadata["spineseg"]["numbering"] = {"lumbar": 4, "thoracic": 12}
        page.hide()
        page.show()
    assert page.card.sentences[0] == LABELS_CHANGED


def test_other_settings_make_them_out_of_date_until_they_are_back(page, layer, qtbot):
    measure(page, qtbot)
    before = page.advanced_form.editor("band_mm").value()
    page.advanced_form.editor("band_mm").setValue(12)
    assert page.card.sentences[0] == SETTINGS_CHANGED
    page.advanced_form.editor("band_mm").setValue(before)
    assert not page.out_of_date and page.card.sentences == [WARNING]


def test_each_layer_has_figures_of_its_own_and_takes_them_along(page, layer, qtbot):
    viewer = page.session.viewer
    measure(page, qtbot)
    second = viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(labels_of(column_scan("second")))))
    viewer.layers.selection.active = second
    assert page.measured is None and not page.panel.isVisible() and not page.card.isVisible()
    viewer.layers.selection.active = layer
    assert page.measured.layer is layer and page.panel.isVisible()
    viewer.layers.remove(layer)
    assert page.measured is None and not page.card.isVisible() and page._kept.of(layer) is None


def test_labels_that_are_closed_are_let_go(page, fake, qtbot):
    viewer = page.session.viewer
    _, labels = add_labels(viewer)
    measure(page, qtbot)
    page.panel.table.setCurrentCell(0, 0)
    click(qtbot, page.saver.open_button)
    gone = weakref.ref(labels)
    viewer.layers.remove(labels)
    del labels
    viewer.layers.selection.active = page.session.scan  # napari itself remembers the last one
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None)


def test_stop_leaves_what_was_there(page, layer, fake, qtbot):
    measure(page, qtbot)
    shown = page.measured
    fake.may_go_on.clear()
    fake.started.clear()
    fake.finished.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(fake.started.is_set)
    click(qtbot, page.run_bar.stop)
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None)
    assert page.measured is shown and page.hint.words == "Stopped. Nothing was changed."


def test_labels_that_are_closed_while_they_are_measured(page, layer, fake, qtbot):
    fake.may_go_on.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(fake.started.is_set)
    page.session.viewer.layers.remove(layer)
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None)
    assert page.measured is None and "closed meanwhile" in page.hint.words


def test_what_went_wrong_is_a_sentence_on_the_card(page, layer, fake, qtbot, notifications):
    measure(page, qtbot)
    fake.error = ScanError("column_seg: no canal, so there is no middle.")
    measure(page, qtbot)
    assert page.card.headline.words == "Not measured" and page.card.sentences == [str(fake.error)]
    assert not page.panel.isVisible() and str(fake.error) in notifications()


def test_the_geometry_itself_is_asked(page, qtbot):
    """Without the stand-in: a volume is voxels times the volume of one."""
    _, layer = add_labels(page.session.viewer)
    measure(page, qtbot)
    table = page.panel.table
    ml = np.count_nonzero(layer.data == 1) * 4 / 1000
    assert texts(table)[3][column_of(table, "Volume (ml)")] == f"{ml:.1f}"


def test_next_goes_from_one_doubtful_figure_to_the_other(page, layer, fake, qtbot):
    fake.also_doubtful = ("slip", 203)
    measure(page, qtbot)
    for _ in range(2):
        click(qtbot, page.panel.next)
        assert page.panel.what.words.startswith("L4, Body height, middle")
        page.panel._show_column("slip", False)
        click(qtbot, page.panel.next)
        assert page.panel.kind == "disc" and page.panel.what.words.startswith("L3/L4, Slip")
    fake.doubtful = False
    measure(page, qtbot)
    assert not page.panel.next.isVisible()


def test_going_to_a_figure_shows_the_labels_that_were_measured(page, layer, fake, qtbot):
    """The lines were drawn over the picture of another patient, which was in front."""
    viewer = page.session.viewer
    fake.also_doubtful = ("slip", 203)
    measure(page, qtbot)
    away = np.eye(4)
    away[0, 3] = 500.0
    other = column_scan("other")
    theirs = add_labels(viewer, replace(other, affine=away @ other.affine))
    layer.visible = page.session.scan_of(layer).visible = False
    viewer.layers.selection.active = layer
    click(qtbot, page.panel.next)
    assert layer.visible and page.session.scan_of(layer).visible
    assert not any(each.visible for each in theirs)


def test_where_nothing_could_be_measured_there_is_no_table_and_nothing_to_save(
    page, layer, qtbot, monkeypatch
):
    monkeypatch.setattr(
        "napari_spineseg.widgets.measure.work.measure",
        lambda *_: Measurements((), ("There is no vertebra.",)),
    )
    measure(page, qtbot)
    assert page.card.headline.words == "Nothing measured" and page.card.sentences == ["There is no vertebra."]
    assert not page.panel.isVisible() and not page.saver.isVisible()


def test_columns_are_chosen_and_one_always_stays(page, layer, qtbot):
    from qtpy.QtWidgets import QMenu

    measure(page, qtbot)
    table = page.panel.table
    table.setCurrentCell(3, 2)
    click(qtbot, page.panel.columns)
    (menu,) = [menu for menu in page.panel.findChildren(QMenu) if menu.isVisible()]
    assert [action.text() for action in menu.actions()] == headings(table)
    menu.actions()[0].trigger()
    menu.close()
    assert headings(table)[0] == "Body height, middle (mm)" and table.columnCount() == 6
    # Where one was is where one stays.
    assert page.panel.what.words.startswith("L5, Body height, posterior") and table.currentColumn() == 1
    for measure_ in page.panel.measures[1:]:
        page.panel._show_column(measure_.key, False)
    click(qtbot, page.panel.columns)
    (menu,) = [menu for menu in page.panel.findChildren(QMenu) if menu.isVisible()]
    assert [a.isEnabled() for a in menu.actions() if a.isChecked()] == [False]
    menu.close()


def test_tab_reaches_everything_in_the_order_of_the_eye(page, layer, qtbot):
    from napari_spineseg.widgets.tab_order import by_place

    measure(page, qtbot)
    qtbot.wait(50)
    names = [name for widget in by_place(page) if (name := widget.objectName())]
    assert names[-8:] == [
        "next_figure",
        "of_vertebra",
        "of_disc",
        "of_spine",
        "figures",
        "copy_figures",
        "columns",
        "save_figures",
    ]
    assert names[0] == "segmentation" and "primary" in names


def test_the_page_is_a_widget_of_its_own_and_in_the_menu_of_layers():
    from importlib import import_module
    from pathlib import Path

    import yaml

    import napari_spineseg
    from napari_spineseg.widgets.dock import PAGES
    from napari_spineseg.widgets.measure.page import MeasurePage

    manifest = Path(napari_spineseg.__file__).with_name("napari.yaml").read_text(encoding="utf-8")
    contributions = yaml.safe_load(manifest)["contributions"]
    (command,) = [c for c in contributions["commands"] if c["id"] == "spineseg.open_measure"]
    module, _, name = command["python_name"].partition(":")
    assert getattr(import_module(module), name) is MeasurePage
    assert {"command": command["id"], "display_name": "Measure"} in contributions["widgets"]
    assert contributions["menus"]["napari/layers/measure"] == [{"command": command["id"]}]
    assert dict(PAGES)["Measure"] == command["python_name"]
