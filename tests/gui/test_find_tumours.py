"""Find tumours and click a tumour, with real clicks on the page and in the picture."""

from __future__ import annotations

import numpy as np
import pytest
from gui_kit import add_scan, click, segment
from qtpy.QtCore import Qt

from napari_spineseg.corrections.click import Hints
from napari_spineseg.models import ModelEntry
from napari_spineseg.segment import SegmentSettings
from napari_spineseg.tumours.click import Outline
from napari_spineseg.widgets.correct_clicks import Gesture
from napari_spineseg.widgets.find_tumours import findings_of, words_of
from napari_spineseg.widgets.session import KEY, about

FINDING = {
    "label": 301,
    "where": "L3 body",
    "mm": 18.2,
    "ml": 3.14,
    "confidence": 0.91,
    "centre": [2, 20, 12],
}


class FakeClicks:
    """Marks a block around the first click inside; takes away around clicks outside."""

    def __init__(self) -> None:
        self.asked: list[tuple[Hints, object, bool]] = []

    def outline(self, hints, within=None, current=None) -> Outline:
        self.asked.append((hints, within, current is not None))
        point = hints.inside[0] if hints.inside else np.mean(within, 0)
        start = [max(0, int(v) - 2) for v in point]
        mask = np.ones((2, 4, 4), bool)
        if hints.outside:
            mask[:, 2:] = False
        return Outline(tuple(slice(a, a + n) for a, n in zip(start, mask.shape, strict=True)), mask, True)


@pytest.fixture(autouse=True)
def tumour_model(monkeypatch, tiny_weights):
    """There is a tumour model, whatever is bundled."""
    monkeypatch.setattr("napari_spineseg.widgets.segment_page.tumour_model_there", lambda: True)
    monkeypatch.setattr(
        "napari_spineseg.widgets.find_tumours.get_model", lambda name: ModelEntry("tiny", tiny_weights)
    )


@pytest.fixture
def clicks(monkeypatch) -> FakeClicks:
    fake = FakeClicks()
    monkeypatch.setattr("napari_spineseg.tumours.click.TumourClicks", lambda scan, model: fake)
    return fake


@pytest.fixture
def viewer(model):
    return model


@pytest.fixture
def page(lone_page):
    return lone_page


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


def test_findings_are_listed_and_lead_to_their_place(viewer, page, qtbot, fake):
    add_scan(viewer)
    segment(page, qtbot)
    assert not page.tumours.list.isVisible()
    layer = page.session.segmentation
    layer.metadata[KEY] = {**about(layer), "provenance": {"tumours": [FINDING]}}
    page.tumours.show_layer(layer)
    assert page.tumours.list.isVisible() and page.tumours.list.item(0).text() == words_of(FINDING)
    viewer.dims.set_point(0, 0)
    item = page.tumours.list.visualItemRect(page.tumours.list.item(0)).center()
    qtbot.mouseClick(page.tumours.list.viewport(), Qt.MouseButton.LeftButton, pos=item)
    assert layer.world_to_data(viewer.dims.point)[0] == pytest.approx(2, abs=0.5)
    assert layer.selected_label == 301


def test_none_found_is_said(viewer, page, qtbot, fake):
    add_scan(viewer)
    segment(page, qtbot)
    layer = page.session.segmentation
    assert findings_of(layer) is None and page.tumours.words.words == ""
    layer.metadata[KEY] = {**about(layer), "provenance": {"tumours": []}}
    page.tumours.show_layer(layer)
    assert page.tumours.words.words == "No tumour was found."


def start_clicking(page, qtbot) -> None:
    laid_out(page, qtbot)
    click(qtbot, page.tumours.click)
    qtbot.waitUntil(lambda: page.tumours.ready and page.tumours.tool.active is not None)


def test_a_click_outlines_and_another_takes_away_what_was_there_before_comes_back(
    viewer, page, qtbot, fake, clicks
):
    add_scan(viewer)
    segment(page, qtbot)
    layer = page.session.segmentation
    before = layer.data.copy()
    start_clicking(page, qtbot)
    page.tumours.take(Gesture([(2.0, 10.0, 8.0)]))
    assert (layer.data == 301).sum() == 32
    page.tumours.take(Gesture([(2.0, 11.0, 9.0)], remove=True))
    assert (layer.data == 301).sum() == 16
    changed = layer.data != before
    assert (layer.data[changed] == 301).all()
    assert clicks.asked[1][2] and len(clicks.asked[1][0].outside) == 1
    layer.undo()
    layer.undo()
    assert np.array_equal(layer.data, before)


def test_a_click_elsewhere_begins_another_tumour(viewer, page, qtbot, fake, clicks):
    add_scan(viewer)
    segment(page, qtbot)
    start_clicking(page, qtbot)
    page.tumours.take(Gesture([(2.0, 10.0, 8.0)]))
    page.tumours.take(Gesture([(2.0, 30.0, 8.0)]))
    assert {301, 302} <= set(np.unique(page.session.segmentation.data))


def test_a_drag_is_a_box(viewer, page, qtbot, fake, clicks):
    add_scan(viewer)
    segment(page, qtbot)
    start_clicking(page, qtbot)
    page.tumours.take(Gesture([(2.0, 10.0, 8.0), (2.0, 14.0, 9.0), (2.0, 18.0, 14.0)]))
    assert clicks.asked[0][1] == ((2.0, 10.0, 8.0), (2.0, 18.0, 14.0))
    assert (page.session.segmentation.data == 301).any()


def test_without_a_segmentation_there_is_an_empty_one_to_click_into(viewer, page, qtbot, clicks):
    scan = add_scan(viewer)
    start_clicking(page, qtbot)
    layer = page.session.segmentation
    assert layer is not None and layer.data.shape == scan.data.shape and not layer.data.any()
    page.tumours.take(Gesture([(2.0, 10.0, 8.0)]))
    assert (layer.data == 301).sum() == 32


def test_the_button_gives_the_mouse_back(viewer, page, qtbot, fake, clicks):
    add_scan(viewer)
    segment(page, qtbot)
    layer = page.session.segmentation
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
    monkeypatch.setattr("napari_spineseg.widgets.segment_page.tumour_model_there", lambda: False)
    add_scan(viewer)
    page.hide()
    page.show()
    assert not page.tumours.isVisible() and SegmentSettings().model != "tumour"
