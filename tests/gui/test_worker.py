"""Jobs beside the window: progress, stopping, and what becomes of errors."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest
from napari.utils import progress as napari_progress
from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.QtCore import QObject

from napari_spineseg.errors import ScanError
from napari_spineseg.widgets.worker import Job, report

pytestmark = pytest.mark.usefixtures("qapp")


def test_works_in_another_thread_and_returns_in_this_one(qtbot):
    threads = []
    job = Job(lambda control: threads.append(threading.get_ident()) or 42)
    job.returned.connect(lambda _: threads.append(threading.get_ident()))
    with qtbot.waitSignals([job.returned, job.ended]) as blocker:
        job.start()
    assert blocker.all_signals_and_args[0].args == (42,)
    assert threads[0] != threads[1] == threading.get_ident()
    assert not job.running


def test_progress_reaches_naparis_own_bar(qtbot):
    go_on = threading.Event()

    def work(control):
        for tile in range(1, 1001):
            control.step("Segmenting", tile, 1000)
        go_on.wait(60)

    job = Job(work, "Segmenting a")
    with qtbot.waitSignal(job.ended):
        job.start()
        (bar,) = napari_progress._all_instances
        qtbot.waitUntil(lambda: (bar.n, bar.total) == (1000, 1000))
        assert bar.desc.startswith("Segmenting a: Segmenting")
        go_on.set()
    assert len(napari_progress._all_instances) == 0


def test_stops_at_the_next_tile(qtbot):
    started, tiles = threading.Event(), []

    def work(control):
        for tile in range(1000):
            tiles.append(tile)
            started.set()
            control.step("Segmenting", tile, 1000)
            go_on.wait(0.01)

    go_on = threading.Event()
    job = Job(work)
    returned = []
    job.returned.connect(returned.append)
    with qtbot.waitSignals([job.stopped, job.ended]):
        job.start()
        assert started.wait(60)
        done = len(tiles)
        job.stop()
    assert len(tiles) - done <= 2 and returned == []


def test_a_result_that_comes_after_stop_is_not_shown(qtbot):
    job = Job(lambda control: job.stop())
    with qtbot.waitSignals([job.stopped, job.ended]), qtbot.assertNotEmitted(job.returned):
        job.start()


def test_stops_when_its_owner_goes_and_tells_nobody(qtbot):
    """Who would hear it is gone: a function that went on to a widget of the owner ended in an error."""
    owner, heard = QObject(), []
    entered = threading.Event()

    def work(control):
        entered.set()
        for tile in range(1000):
            control.step("Segmenting", tile, 1000)
            threading.Event().wait(0.01)

    job = Job(work, owner=owner).start()
    assert entered.wait(60)
    qtbot.wait(50)
    owner.destroyed.connect(
        lambda: (
            [signal.connect(heard.append) for signal in (job.progressed, job.returned, job.failed)]
            + [signal.connect(lambda: heard.append("over")) for signal in (job.stopped, job.ended)]
        )
    )
    owner.deleteLater()
    qtbot.waitUntil(lambda: not job.running)
    assert heard == []


def test_a_forgotten_job_still_takes_its_bar_away(qtbot):
    go_on = threading.Event()
    Job(lambda control: go_on.wait(60), "Forgotten").start()
    gc.collect()
    assert len(napari_progress._all_instances) == 1
    go_on.set()
    qtbot.waitUntil(lambda: len(napari_progress._all_instances) == 0)


def test_a_foreseen_error_is_one_sentence(notifications):
    assert report(ScanError("a.nii: it is empty.")) == "a.nii: it is empty."
    assert notifications() == ["a.nii: it is empty."]
    assert not isinstance(notification_manager.records[-1], ErrorNotification)


def test_a_bug_keeps_its_traceback(qtbot):
    def broken(control):
        return 1 / 0

    job = Job(broken)
    with qtbot.waitSignal(job.failed) as blocker:
        job.start()
    report(blocker.args[0])
    assert "return 1 / 0" in notification_manager.records[-1].as_text()


LEFT_RUNNING = """
import time
from qtpy.QtWidgets import QApplication
from napari_spineseg.widgets.worker import Job

application = QApplication([])

def work(control):
    for tile in range(1000):
        control.step("Segmenting", tile, 1000)
        time.sleep(0.02)

job = Job(work, "Segmenting")
job.start()
while not job.running:
    application.processEvents()
time.sleep(0.1)
"""


def test_python_ends_cleanly_while_a_job_runs():
    done = subprocess.run([sys.executable, "-c", LEFT_RUNNING], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-1000:]
    assert "Error" not in done.stderr
