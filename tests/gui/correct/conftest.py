"""One napari window for all tests of a module, with the Correct page in a dock as narrow as it may be."""

from __future__ import annotations

import pytest
from correct_kit import FakeAsk, dock_page, opened

from napari_spineseg.widgets.correct.fix import ClickToFix
from napari_spineseg.widgets.correct.page import CorrectPage


@pytest.fixture
def viewer(shared):
    return shared


@pytest.fixture
def asked(monkeypatch):
    """Stands in for the model that is asked where it guessed."""
    ask = FakeAsk()
    monkeypatch.setattr("napari_spineseg.widgets.correct.ask.ask_model", ask)
    yield ask
    ask.may_go_on.set()


@pytest.fixture
def page(viewer, qtbot, spineseg_home, monkeypatch, asked):
    """The page. No network is loaded beside it."""
    monkeypatch.setattr(ClickToFix, "start", lambda self, layer: None)
    return dock_page(viewer, CorrectPage(viewer))


@pytest.fixture
def layer(viewer, page):
    """A segmentation to correct, on its middle slice, with a brush of 6 pixels."""
    layer = opened(viewer, page)
    layer.brush_size = 6
    layer.selected_label = 2
    return layer
