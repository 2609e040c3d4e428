"""The Measure page, in a window and without one, and figures whose places are known."""

from __future__ import annotations

import pytest
from correct_kit import dock_page, wait_until
from figures_kit import add_labels
from gui_kit import shown_alone

from napari_spineseg.widgets.dock import SpineSegDock
from napari_spineseg.widgets.measure.page import MeasurePage


@pytest.fixture
def fake(fake_measure):
    return fake_measure


@pytest.fixture
def page(model, qtbot):
    """The page on its own, over a viewer without a window."""
    return shown_alone(MeasurePage(model), qtbot)


@pytest.fixture
def layer(page, fake):
    """Labels of a scan that is open."""
    return add_labels(page.session.viewer)[1]


@pytest.fixture
def dock(shared):
    """The whole panel, on its last page, in a dock as narrow as it may be."""
    dock = SpineSegDock(shared)
    dock_page(shared, dock)
    wait_until(dock.show_page("Measure").isVisible)
    return dock


@pytest.fixture
def docked(dock):
    """The page inside the dock of a real window."""
    return dock.show_page("Measure")
