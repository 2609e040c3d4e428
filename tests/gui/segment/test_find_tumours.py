"""Find tumours and click a tumour, with real clicks on the page and in the picture."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from gui_kit import add_scan, click, go_on, open_page, open_window, segment, start
from qtpy.QtCore import Qt

from napari_spineseg.corrections.click import Hints
from napari_spineseg.models import ModelEntry
from napari_spineseg.segment import SegmentSettings
from napari_spineseg.tumours.outline import Outline
from napari_spineseg.widgets.correct.clicks import Gesture
from napari_spineseg.widgets.known import KEY, about
from napari_spineseg.widgets.segment.find_tumours import findings_of, words_of
from napari_spineseg.widgets.segment.result_layers import possible_tumours

FINDING = {
    "label": 301,
    "where": "L3 body",
    "mm": 18.2,
    "ml": 3.14,
    "confidence": 0.91,
    "centre": [2, 14, 12],
    "voxels": 32,
}
FOUND = (slice(2, 4), slice(12, 16), slice(10, 14))


class FakeClicks:
    """Marks a block around the first click inside; takes away around clicks outside."""

    def __init__(self) -> None:
        self.asked: list[tuple[Hints, object, bool]] = []

    def outline(self, hints, within=None, current=None) -> Outline:
        self.asked.append((hints, within, current is not None))
        point = np.mean(within, 0) if within else (hints.inside or hints.outside)[0]
        start = [max(0, int(v) - 2) for v in point]
        mask = np.ones((2, 4, 4), bool)
        if hints.outside:
            mask[:, 2:] = False
        return Outline(tuple(slice(a, a + n) for a, n in zip(start, mask.shape, strict=True)), mask, True)


@pytest.fixture(autouse=True)
def tumour_model(monkeypatch, tiny_weights):
    """There is a tumour model, whatever is bundled."""
    monkeypatch.setattr("napari_spineseg.widgets.segment.page.tumour_model_there", lambda: True)
    monkeypatch.setattr(
        "napari_spineseg.widgets.segment.click_tumour.get_model",
        lambda name: ModelEntry("tiny", tiny_weights),
    )


@pytest.fixture
def clicks(monkeypatch) -> FakeClicks:
    fake = FakeClicks()
    monkeypatch.setattr("napari_spineseg.tumours.click.TumourClicks", lambda scan, model: fake)
    return fake


def laid_out(page, qtbot) -> None:
    """Wait until the buttons are where they will be clicked."""
    qtbot.waitUntil(lambda: page.tumours.find.isVisible() and page.isActiveWindow())
    qtbot.wait(50)


def test_find_tumours_segments_with_the_tumour_model_whatever_the_form_says(viewer, page, qtbot, fake):
    add_scan(viewer)
    laid_out(page, qtbot)
    click(qtbot, page.tumours.find)
    qtbot.waitUntil(lambda: fake.finished.is_set() and page.job is None)
    assert [s.model for s in fake.settings] == ["tumour"]
    segment(page, qtbot)
    assert fake.settings[1].model == page.current_settings().model != "tumour"


def test_a_notice_above_the_buttons_says_what_the_model_is_worth(viewer, page, qtbot, fake):
    add_scan(viewer)
    page.setFixedWidth(320)
    laid_out(page, qtbot)
    notice = page.tumours.notice
    assert notice.isVisible() and "not validated on patients" in notice.words
    assert notice.geometry().bottom() < page.tumours.find.geometry().top()
    # All of it, on as many lines as it takes in the narrowest dock.
    assert notice.width() <= 320 and notice.height() >= notice.heightForWidth(notice.width())


def test_findings_are_listed_and_lead_to_their_place(viewer, page, qtbot, layer):
    assert not page.tumours.list.isVisible()
    find(layer)
    page.tumours.show_layer(layer)
    assert page.tumours.list.isVisible() and page.tumours.list.item(0).text() == words_of(FINDING)
    viewer.dims.set_point(0, 0)
    item = page.tumours.list.visualItemRect(page.tumours.list.item(0)).center()
    qtbot.mouseClick(page.tumours.list.viewport(), Qt.MouseButton.LeftButton, pos=item)
    assert layer.world_to_data(viewer.dims.point)[0] == pytest.approx(2, abs=0.5)
    assert layer.selected_label == 301


def test_what_the_model_found_is_possible_and_a_place_to_look_at(viewer, page, layer):
    """A model that nobody validated finds no tumours; a person does."""
    known = {**about(layer), "provenance": {"tumours": [FINDING]}, "warnings": ("Look at L5.",)}
    layer.metadata[KEY] = known
    layer.data[FOUND] = 301
    assert possible_tumours(layer) == {301}
    viewer.layers.selection.active = layer
    page.session.segmentation = None
    page.session.segmentation = layer
    assert page.card.headline.words.endswith("1 possible tumour")
    assert page.card.remark.words == "2 places to look at"
    layer.metadata[KEY] = {**known, "provenance": {"tumours": [{**FINDING, "confidence": None}]}}
    assert not possible_tumours(layer)


def test_a_long_finding_is_whole_in_a_narrow_panel(page, qtbot, layer):
    """A bar to scroll sideways lay over the last one."""
    find(layer)
    finding = {**FINDING, "where": "intradural at L4/L5", "mm": 16, "ml": 10.5, "confidence": 0.98}
    layer.metadata[KEY] = {**about(layer), "provenance": {"tumours": [finding]}}
    page.setFixedWidth(280)
    page.tumours.show_layer(layer)
    rows = page.tumours.list
    qtbot.waitUntil(lambda: rows.isVisible() and rows.viewport().width() < 280)
    qtbot.wait(50)
    assert not rows.horizontalScrollBar().isVisible()
    row = rows.visualItemRect(rows.item(0))
    # On two lines, all of it in sight.
    assert row.right() <= rows.viewport().width() and row.bottom() <= rows.viewport().height()
    assert row.height() > 1.5 * rows.fontMetrics().height()


def test_tumours_are_not_looked_for_twice_at_once(viewer, page, qtbot, fake):
    """The button was pressed in vain while a scan was segmented."""
    add_scan(viewer)
    start(page, fake, qtbot)
    assert not page.tumours.find.isEnabled()
    go_on(page, fake, qtbot)
    assert page.tumours.find.isEnabled()


def test_what_is_undone_with_napari_s_key_is_gone_from_the_page(make_napari_viewer, qtbot, fake, clicks):
    viewer = open_window(make_napari_viewer, qtbot)
    page = open_page(viewer, qtbot)
    add_scan(viewer)
    segment(page, qtbot)
    viewer.window._qt_window.activateWindow()
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    qtbot.waitUntil(lambda: page.tumours.list.count() == 1)
    assert "ml" in page.tumours.words.words and "1 tumour" in page.card.headline.words
    canvas = viewer.window._qt_viewer.canvas.native
    qtbot.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.tumours.list.count() == 0)
    assert (
        page.tumours.words.words == "Undone: outlined a tumour." and "tumour" not in page.card.headline.words
    )
    assert 301 not in page.legend.chips and page.tumours.tool.active


def test_the_list_says_what_is_there_after_corrections(page, qtbot, layer):
    find(layer)
    page.tumours.show_layer(layer)
    layer.data_setitem(np.nonzero(layer.data == 301), 0)
    qtbot.waitUntil(lambda: not page.tumours.list.isVisible())
    layer.undo()
    layer.data[2, 12, 10:14] = 0
    layer.data_setitem((np.array([2]), np.array([40]), np.array([12])), 302)
    qtbot.waitUntil(lambda: page.tumours.list.count() == 2)
    changed, drawn = (page.tumours.list.item(n).text() for n in range(2))
    # Measured anew, and no longer as sure as the model was of something else.
    assert "0.1 ml" in changed and "%" not in changed + drawn


def test_none_found_is_said(page, layer):
    assert findings_of(layer) is None and page.tumours.words.words == ""
    layer.metadata[KEY] = {**about(layer), "provenance": {"tumours": []}}
    page.tumours.show_layer(layer)
    assert page.tumours.words.words == "No tumour was found."


def find(layer) -> None:
    """As if a model had found FINDING."""
    layer.data[FOUND] = 301
    layer.metadata[KEY] = {**about(layer), "provenance": {"tumours": [FINDING]}}


def start_clicking(page, qtbot) -> None:
    laid_out(page, qtbot)
    click(qtbot, page.tumours.click)
    qtbot.waitUntil(lambda: page.tumours.clicks.ready and page.tumours.tool.active is not None)


def test_a_click_outlines_and_another_takes_away_what_was_there_before_comes_back(page, layer, qtbot, clicks):
    before = layer.data.copy()
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    assert (layer.data == 301).sum() == 32
    page.tumours.clicks.take(Gesture([(2.0, 11.0, 9.0)], remove=True))
    assert (layer.data == 301).sum() == 16
    changed = layer.data != before
    assert (layer.data[changed] == 301).all()
    assert clicks.asked[1][2] and len(clicks.asked[1][0].outside) == 1
    layer.undo()
    layer.undo()
    assert np.array_equal(layer.data, before)


def test_a_click_elsewhere_begins_another_tumour(page, layer, qtbot, clicks):
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    page.tumours.clicks.take(Gesture([(2.0, 30.0, 8.0)]))
    assert {301, 302} <= set(np.unique(layer.data))


def test_a_click_on_a_tumour_that_was_found_goes_on_with_it(page, qtbot, clicks, layer):
    find(layer)
    before = layer.data.copy()
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 14.0, 12.0)]))
    assert np.array_equal(layer.data, before) and layer.selected_label == 301 and not clicks.asked
    page.tumours.clicks.take(Gesture([(2.0, 15.0, 13.0)], remove=True))
    assert clicks.asked[0][2] and 302 not in layer.data
    # What is taken away of it becomes what lies beside it, not a hole in the vertebra.
    gone = (before == 301) & (layer.data != 301)
    assert gone.any() and (layer.data[gone] == layer.data[2, 14, 9]).all()


def test_a_box_around_a_tumour_that_was_found_keeps_its_number(page, qtbot, clicks, layer):
    find(layer)
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(4.0, 12.0, 10.0), (4.0, 17.0, 15.0)]))
    assert (layer.data == 301).sum() == 32 and 302 not in layer.data
    layer.undo()
    assert (layer.data[FOUND] == 301).all()


def test_a_click_after_undo_begins_anew(page, qtbot, clicks, layer):
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    page.tumours.clicks.take(Gesture([(2.0, 11.0, 9.0)], remove=True))
    layer.undo()
    layer.undo()
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    hints, _, goes_on = clicks.asked[-1]
    assert not goes_on and hints.outside == () and (layer.data == 301).sum() == 32


def test_clicks_wait_for_the_scan_that_is_chosen_by_then(viewer, page, qtbot, fake, monkeypatch):
    """Else the outline of one patient's image would be drawn into the labels of another."""
    from gui_kit import column_scan

    made, may_load = [], Event()

    def load(scan, model):
        made.append(scan.name)
        assert may_load.wait(60)
        return FakeClicks()

    monkeypatch.setattr("napari_spineseg.tumours.click.TumourClicks", load)
    add_scan(viewer)
    segment(page, qtbot)
    first = page.session.segmentation
    add_scan(viewer, column_scan("other"))
    laid_out(page, qtbot)
    click(qtbot, page.tumours.click)
    qtbot.waitUntil(lambda: made == ["other"])
    viewer.layers.selection.active = first
    may_load.set()
    qtbot.waitUntil(lambda: page.tumours.tool.active is not None)
    assert made == ["other", "column"] and page.tumours.tool.layer is first


def test_clicks_end_with_the_page(page, qtbot, clicks, layer):
    """On the Correct page two tools would answer one click."""
    start_clicking(page, qtbot)
    page.hide()
    assert page.tumours.tool.active is None and layer.mouse_pan
    page.show()
    assert not page.tumours.click.isChecked()


def test_in_structures_a_tumour_is_the_structure_tumour(page, qtbot, clicks, layer):
    layer.metadata[KEY] = {**about(layer), "scheme": "structures", "provenance": {"tumours": [FINDING]}}
    page.tumours.show_layer(layer)
    item = page.tumours.list.visualItemRect(page.tumours.list.item(0)).center()
    qtbot.mouseClick(page.tumours.list.viewport(), Qt.MouseButton.LeftButton, pos=item)
    assert layer.selected_label == 4
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 35.0)]))
    page.tumours.clicks.take(Gesture([(2.0, 60.0, 35.0)]))
    assert (layer.data == 301).sum() == 0 and (layer.data[..., 30:] == 4).sum() == 64


def test_a_drag_is_a_box(page, qtbot, clicks, layer):
    start_clicking(page, qtbot)
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0), (2.0, 14.0, 9.0), (2.0, 18.0, 14.0)]))
    assert clicks.asked[0][1] == ((2.0, 10.0, 8.0), (2.0, 18.0, 14.0))
    assert (layer.data == 301).any()


def test_without_a_segmentation_there_is_an_empty_one_to_click_into(viewer, page, qtbot, clicks):
    scan = add_scan(viewer)
    start_clicking(page, qtbot)
    layer = page.session.segmentation
    assert layer is not None and layer.data.shape == scan.data.shape and not layer.data.any()
    page.tumours.clicks.take(Gesture([(2.0, 10.0, 8.0)]))
    assert (layer.data == 301).sum() == 32


def test_the_button_gives_the_mouse_back(page, qtbot, clicks, layer):
    start_clicking(page, qtbot)
    assert not layer.mouse_pan
    click(qtbot, page.tumours.click)
    assert layer.mouse_pan and page.tumours.tool.active is None and not page.tumours.click.isChecked()


def test_a_model_that_cannot_be_loaded_is_said(viewer, page, qtbot, fake, monkeypatch):
    def broken(*_):
        from napari_spineseg.errors import ModelError

        raise ModelError("The tumour model is damaged.")

    monkeypatch.setattr("napari_spineseg.tumours.click.TumourClicks", broken)
    add_scan(viewer)
    segment(page, qtbot)
    click(qtbot, page.tumours.click)
    qtbot.waitUntil(lambda: not page.tumours.click.isChecked())
    assert "damaged" in page.tumours.words.words


def test_the_page_is_as_before_where_there_is_no_tumour_model(viewer, page, monkeypatch):
    monkeypatch.setattr("napari_spineseg.widgets.segment.page.tumour_model_there", lambda: False)
    add_scan(viewer)
    page.hide()
    page.show()
    assert not page.tumours.isVisible() and SegmentSettings().model != "tumour"
