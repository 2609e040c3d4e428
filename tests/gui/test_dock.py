"""The dock: how it opens, how it looks in a narrow window, in either theme, on a dense screen."""

from __future__ import annotations

import os
import subprocess
import sys

from gui_kit import add_scan, clipped, narrow, segment, shown_alone
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_spineseg.widgets.dock import SpineSegDock


def test_opens_without_torch_and_without_a_dialog():
    code = (
        "import sys, napari_spineseg.widgets.dock, napari_spineseg.widgets.segment.page;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_is_reached_from_the_menus(viewer, qtbot):
    from napari._app_model import get_app_model

    menus = get_app_model().menus
    segment = [
        item.command.id for item in menus.get_menu("napari/layers/segment") if hasattr(item, "command")
    ]
    for page in ("Segment", "Correct"):
        command = f"spineseg.open_{page.lower()}"
        assert command in segment
        get_app_model().commands.execute_command(command)
        assert [name for name in viewer.window.dock_widgets if page in name]


def test_larger_letters_fit_too(viewer, page, qtbot, fake):
    from napari.settings import get_settings

    get_settings().appearance.font_size = 12
    add_scan(viewer)
    segment(page, qtbot)
    narrow(viewer, page, qtbot, 360)
    qtbot.waitUntil(lambda: clipped(page) == [], timeout=3000)


def test_reader_offer_is_made_once_and_can_be_declined(viewer, qtbot):
    from napari.settings import get_plugin_settings, get_settings

    from napari_spineseg.widgets.default_reader_offer import DefaultReaderOffer, should_offer

    opening = get_plugin_settings("spineseg").opening
    opening.offer_default_reader = True
    offer = DefaultReaderOffer()
    viewer.window.add_dock_widget(offer, name="offer")
    qtbot.waitUntil(offer.isVisible)
    assert ".nii" in offer.findChild(QLabel).text()
    qtbot.mouseClick(offer.no, Qt.MouseButton.LeftButton)
    assert not offer.isVisible() and not should_offer()
    assert "*.nii" not in get_settings().plugins.extension2reader


def test_reader_offer_that_was_answered_on_one_page_is_gone_from_all(model, qtbot):
    from napari.settings import get_plugin_settings

    get_plugin_settings("spineseg").opening.offer_default_reader = True
    dock = shown_alone(SpineSegDock(model), qtbot)
    pages = [dock.show_page(title) for title in ("Learn", "Segment")]
    qtbot.waitUntil(pages[1].offer.isVisible)
    qtbot.mouseClick(pages[1].offer.no, Qt.MouseButton.LeftButton)
    dock.show_page("Learn")
    qtbot.waitUntil(pages[0].isVisible)
    assert not pages[0].offer.isVisible()


def test_reader_offer_changes_only_medical_formats(viewer, qtbot):
    from napari.settings import get_plugin_settings, get_settings

    from napari_spineseg.widgets.default_reader_offer import DefaultReaderOffer, should_offer

    get_plugin_settings("spineseg").opening.offer_default_reader = True
    get_settings().plugins.extension2reader = {"*.png": "napari"}
    offer = DefaultReaderOffer()
    viewer.window.add_dock_widget(offer, name="offer")
    qtbot.mouseClick(offer.yes, Qt.MouseButton.LeftButton)
    readers = get_settings().plugins.extension2reader
    assert readers["*.nii.gz"] == "spineseg" and readers["*.png"] == "napari"
    assert not should_offer()


DENSE = """
import sys
import napari
from qtpy.QtWidgets import QApplication
from gui_kit import add_scan, clipped
viewer = napari.Viewer(show=True, show_welcome_screen=False)
docked, dock = viewer.window.add_plugin_dock_widget("spineseg", "SpineSeg")
page = dock.show_page("Segment")
add_scan(viewer)
for _ in range(20):
    QApplication.processEvents()
assert page.devicePixelRatioF() == 2.0, page.devicePixelRatioF()
problems = clipped(page)
dock.show_page("Measure")
for _ in range(20):
    QApplication.processEvents()
problems += clipped(dock)
viewer.close()
sys.exit("; ".join(problems) or 0)
"""


def test_nothing_is_cut_off_at_twice_the_scale():
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run(
        [sys.executable, "-c", DENSE], env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr[-2000:]
