"""The Segment page on its own, and a result on it."""

from __future__ import annotations

import pytest
from gui_kit import add_scan, segment


@pytest.fixture
def viewer(model):
    return model


@pytest.fixture
def page(lone_page):
    return lone_page


@pytest.fixture
def layer(viewer, page, qtbot, fake):
    """A result, segmented with the page."""
    add_scan(viewer)
    segment(page, qtbot)
    return page.session.segmentation
