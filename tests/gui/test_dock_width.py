"""How narrow the panel can be, in a real window: nothing is cut off, and nothing holds it wider."""

from __future__ import annotations

import pytest
from correct_kit import dock_page, wait_until
from figures_kit import add_labels, measure
from gui_kit import clipped
from napari.settings import get_settings
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractSpinBox, QLineEdit, QScrollArea

from napari_spineseg.widgets.correct.fix import ClickToFix
from napari_spineseg.widgets.dock import PAGES, SpineSegDock
from napari_spineseg.widgets.learn.page import LearnPage
from napari_spineseg.widgets.measure.page import MeasurePage

NARROWEST, ANY_WIDTH = 280, 16_777_215


def too_wide(page) -> list[str]:
    """Parts of a page that reach below the scroll bar or beyond the edge, and numbers that do not fit."""
    areas = [area for area in page.findChildren(QScrollArea) if area.isVisible()]
    numbers = [box.lineEdit() for box in page.findChildren(QAbstractSpinBox) if box.isVisible()]
    return [
        *(
            f"{area.widget().width()} wide"
            for area in areas
            if area.widget().width() > area.viewport().width()
        ),
        *(
            line.text()
            for line in numbers
            if line.fontMetrics().horizontalAdvance(line.text()) > line.contentsRect().width()
        ),
    ]


def test_every_page_fits_into_280_pixels(shared, qtbot, fake_measure, spineseg_home, monkeypatch):
    monkeypatch.setattr(ClickToFix, "start", lambda self, layer: None)
    dock = SpineSegDock(shared)
    dock_page(shared, dock, NARROWEST)
    add_labels(shared)
    problems = {}
    for title, _ in PAGES:
        page = dock.show_page(title)
        wait_until(page.isVisible)
        page.advanced.expand(animate=False)
        if isinstance(page, MeasurePage):
            measure(page, qtbot)
        if isinstance(page, LearnPage):
            page.running.begin()
        QTest.qWait(100)
        problems[title] = clipped(dock) + too_wide(page)
    assert not {title: found for title, found in problems.items() if found}
    assert dock.minimumSizeHint().width() <= NARROWEST and dock.width() <= NARROWEST


def test_large_text_is_large_everywhere_and_never_cut_off(shared, qtbot, spineseg_home, monkeypatch):
    """napari's text may be made larger in its settings: titles, steps and chips were left small."""
    monkeypatch.setattr(ClickToFix, "start", lambda self, layer: None)
    dock = SpineSegDock(shared)
    dock_page(shared, dock, NARROWEST).parentWidget().setMaximumWidth(ANY_WIDTH)
    dock.parentWidget().setMinimumWidth(0)
    add_labels(shared)
    appearance = get_settings().appearance
    before = appearance.font_size
    try:
        appearance.font_size = 15
        problems = {}
        for title, _ in PAGES:
            page = dock.show_page(title)
            wait_until(page.isVisible)
            QTest.qWait(100)
            problems[title] = clipped(dock) + too_wide(page)
            sizes = {label.font().pointSize() for label in (dock.steps[title], page.hint, page.card.headline)}
            fields = [field for kind in (QLineEdit, QAbstractSpinBox) for field in page.findChildren(kind)]
            assert all(f.font().pointSize() >= 15 for f in fields if f.isVisible()), title
            assert min(sizes) >= 15 and page.card.headline.font().pointSize() == max(sizes)
        assert not {title: found for title, found in problems.items() if found}
    finally:
        appearance.font_size = before


@pytest.mark.parametrize("floating", [True, False])
def test_a_dock_is_as_narrow_again_as_before_large_text(shared, qtbot, floating):
    """Qt kept the least width that it once had, of a floating dock above all."""
    panel = SpineSegDock(shared)
    dock = shared.window.add_dock_widget(panel, name="SpineSeg")
    wait_until(dock.isVisible)
    dock.setFloating(floating)
    least = panel.minimumSizeHint().width()
    appearance = get_settings().appearance
    before = appearance.font_size
    try:
        appearance.font_size = 18
        wait_until(lambda: dock.minimumWidth() > least + 50)
    finally:
        appearance.font_size = before
    wait_until(lambda: dock.minimumSizeHint().width() < least + 20)
    assert dock.minimumWidth() < least + 20
    if floating:
        dock.resize(least + 20, dock.height())
        wait_until(lambda: dock.width() <= least + 20)
