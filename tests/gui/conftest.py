"""GUI tests run against a real napari window. Without a screen they start one, or fail; they never skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial

import pytest
from correct_kit import emptied, one_window
from figures_kit import FakeMeasure
from gui_kit import PATIENCE_MS, FakeSegment, held, open_page, open_window, shown_alone
from screen_kit import start_xvfb


def _start_screen() -> subprocess.Popen | None:
    """Start a virtual screen where there is none of one's own.

    Workers of pytest-xdist do not share one: what is active or under the mouse is so once a screen.
    """
    if os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal"):
        pytest.exit("GUI tests need a platform that draws; unset QT_QPA_PLATFORM.", returncode=1)
    own = os.environ.get("DISPLAY") and "PYTEST_XDIST_WORKER" not in os.environ
    if not sys.platform.startswith("linux") or own:
        return None
    if shutil.which("Xvfb") is None:
        pytest.exit(
            "GUI tests need a screen. Run: scripts/system-libraries xvfb, then make test", returncode=1
        )
    process, os.environ["DISPLAY"] = start_xvfb()
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    return process


@pytest.fixture(scope="session", autouse=True)
def _screen():
    process = _start_screen()
    yield
    if process is not None:
        process.terminate()


@pytest.fixture(scope="session")
def qapp(_screen, qapp):
    """The application, started once there is a screen."""
    return qapp


@pytest.fixture
def qtbot(qtbot):
    """Waits longer than usual before it gives up: on a busy machine a window takes its time."""
    for name in ("waitUntil", "waitSignal", "waitSignals", "waitExposed"):
        setattr(qtbot, name, partial(getattr(qtbot, name), timeout=PATIENCE_MS))
    return qtbot


@pytest.fixture(autouse=True)
def _answered_offer(monkeypatch, request):
    """The offer to be the default reader has a test of its own; elsewhere it is out of the way."""
    if "offer" not in request.node.name:
        monkeypatch.setattr("napari_spineseg.widgets.default_reader_offer.should_offer", lambda: False)


@pytest.fixture
def viewer(qtbot, make_napari_viewer):
    """A visible napari window. What it leaves behind is checked when it is closed."""
    return open_window(make_napari_viewer, qtbot)


@pytest.fixture(scope="module")
def window(qapp):
    """One napari window for all tests of a module."""
    yield from one_window()


@pytest.fixture
def shared(window):
    """The module's window, empty."""
    yield window
    emptied(window)


@pytest.fixture
def page(viewer, qtbot):
    """The Segment page inside the dock, as `napari -w spineseg SpineSeg` opens it."""
    return open_page(viewer, qtbot)


@pytest.fixture
def model():
    """A viewer without a window, for what needs none: the page itself is a real widget all the same."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def lone_page(model, qtbot):
    """The Segment page on its own, over `model`."""
    from napari_spineseg.widgets.segment.page import SegmentPage

    return shown_alone(SegmentPage(model), qtbot, width=340)


@pytest.fixture
def fake(monkeypatch) -> FakeSegment:
    """Segments in the place of the network, tile by tile."""
    job = FakeSegment()
    monkeypatch.setattr("napari_spineseg.widgets.segment.page.segment", job)
    yield from held(job)


@pytest.fixture
def fake_measure(monkeypatch) -> FakeMeasure:
    """Measures in the place of the geometry, level by level."""
    job = FakeMeasure()
    monkeypatch.setattr("napari_spineseg.widgets.measure.work.measure", job)
    yield from held(job)


@pytest.fixture
def notifications():
    """What napari tells the person during the test."""
    from napari.utils.notifications import notification_manager

    before = len(notification_manager.records)

    def seen() -> list[str]:
        return [record.message for record in notification_manager.records[before:]]

    return seen
