"""The page in a real napari window that one test hands to the next, empty."""

from __future__ import annotations

import numpy as np
import pytest
from gui_kit import add_scan, click, clipped, go_on, narrow, sagittal_labels, segment, start
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QDialog

from napari_spineseg.errors import ModelError
from napari_spineseg.widgets.dock import PAGES, SpineSegDock
from napari_spineseg.widgets.page import Page

NARROW = 320
LONG_NAME = "sub-0123_ses-20240131_acq-sagittal_run-02_T2w_with_a_very_long_name"


@pytest.fixture
def viewer(shared):
    return shared


class Other(Page):
    """A second page, as a later step brings it."""

    title = "Other"
    verb = "Do it"


def test_one_page_needs_no_step_bar(viewer, page):
    dock = viewer.window.dock_widgets["SpineSeg (spineseg)"]
    assert len(dock.steps) == len(PAGES)
    assert [step.isVisible() for step in dock.steps.values()] == [len(PAGES) > 1] * len(PAGES)


def test_pages_share_the_scan_and_are_made_when_shown(viewer, qtbot, monkeypatch):
    monkeypatch.setattr("napari_spineseg.widgets.page.Other", Other, raising=False)
    places = (("Segment", dict(PAGES)["Segment"]), ("Other", "napari_spineseg.widgets.page:Other"))
    dock = SpineSegDock(viewer, pages=places)
    viewer.window.add_dock_widget(dock, name="steps")
    scan = add_scan(viewer)
    assert dock.findChildren(Other) == []
    qtbot.mouseClick(dock.steps["Other"], Qt.MouseButton.LeftButton)
    (other,) = dock.findChildren(Other)
    qtbot.waitUntil(other.isVisible)
    assert other.session.scan is scan
    qtbot.keyClick(dock.steps["Segment"], Qt.Key.Key_Space)
    assert not other.isVisible() and dock.steps["Segment"].isChecked()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_in_a_narrow_dock(viewer, page, qtbot, fake, theme):
    viewer.theme = theme
    narrow(viewer, page, qtbot, NARROW)
    assert clipped(page) == []
    scan = add_scan(viewer)
    scan.name = LONG_NAME
    segment(page, qtbot)
    page.advanced.expand(animate=False)
    qtbot.mouseClick(page.save_panel.open_button, Qt.MouseButton.LeftButton)
    page.save_panel.path.setText("/nowhere/at_all/" + LONG_NAME)

    def unfolded() -> None:
        assert clipped(page) == []

    qtbot.waitUntil(unfolded)
    assert page.width() <= NARROW


def test_colours_follow_the_theme(viewer, page, qtbot):
    viewer.theme = "dark"
    dark = page.grab().toImage().pixelColor(2, 2)
    viewer.theme = "light"
    light = page.grab().toImage().pixelColor(2, 2)
    assert dark.lightness() < 100 < light.lightness()


def test_nothing_is_modal(viewer, page, qtbot, fake):
    add_scan(viewer)
    segment(page, qtbot)
    qtbot.mouseClick(page.save_panel.open_button, Qt.MouseButton.LeftButton)
    assert QApplication.activeModalWidget() is None
    assert not [dialog for dialog in page.findChildren(QDialog) if dialog.isVisible()]


def test_labels_land_on_the_right_voxels(viewer, page, qtbot, fake):
    scan_layer = add_scan(viewer)
    segment(page, qtbot)
    labels = viewer.layers[-1]
    assert labels.name == "column_seg" and viewer.layers.selection.active is labels
    np.testing.assert_array_equal(labels.data, sagittal_labels())
    np.testing.assert_allclose(labels.scale, scan_layer.scale)
    np.testing.assert_allclose(labels.extent.world, scan_layer.extent.world)
    assert labels.units == scan_layer.units


def test_stop_leaves_everything_as_it_was(viewer, page, qtbot, fake):
    add_scan(viewer)
    start(page, fake, qtbot)
    click(qtbot, page.run_bar.stop)
    assert not page.run_bar.stop.isEnabled()
    go_on(page, fake, qtbot)
    assert [layer.name for layer in viewer.layers] == ["column"]
    assert "Nothing was changed" in page.hint.words
    segment(page, qtbot)
    assert len(viewer.layers) == 2


def test_an_error_is_one_sentence(viewer, page, qtbot, fake, notifications):
    add_scan(viewer)
    fake.error = ModelError("lumbar.safetensors differs from what its card describes; install it again.")
    segment(page, qtbot)
    assert notifications() == [str(fake.error)]
    assert page.card.sentences == [str(fake.error)] and not page.legend.isVisible()
    assert len(viewer.layers) == 1
