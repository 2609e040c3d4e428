"""Two at once, told in order, stopped together."""

import threading
import time

import pytest

from napari_spineseg.cli.overlap import Overlap
from napari_spineseg.errors import Stopped


def test_two_are_in_work_at_once_and_told_in_order():
    met = threading.Barrier(2, timeout=20)

    def work(item, control):
        if item < 2:
            met.wait()
        time.sleep(0.05 if item == 0 else 0)
        return item * 10

    assert list(Overlap(work).results([0, 1, 2, 3])) == [(0, 0), (1, 10), (2, 20), (3, 30)]


def test_never_more_than_two_are_in_work():
    present, most, lock = [0], [0], threading.Lock()

    def work(item, control):
        with lock:
            present[0] += 1
            most[0] = max(most[0], present[0])
        time.sleep(0.01)
        with lock:
            present[0] -= 1

    list(Overlap(work).results(range(8)))
    assert most == [2]


def test_what_an_item_raises_stops_the_others_and_begins_nothing_more():
    begun, stopped = [], threading.Event()

    def work(item, control):
        begun.append(item)
        if item == 0:
            time.sleep(0.1)
            raise ValueError("no")
        while True:
            try:
                control.step("waiting", 0, 1)
            except Stopped:
                stopped.set()
                raise
            time.sleep(0.01)

    with pytest.raises(ValueError, match="no"):
        list(Overlap(work).results(range(5)))
    assert stopped.is_set() and begun == [0, 1]


def test_what_was_done_when_it_was_left_is_not_lost():
    second = threading.Event()

    def work(item, control):
        if item == 1:
            second.set()
            return "second"
        second.wait(20)
        control.check()
        return "first"

    overlap = Overlap(work)
    results = overlap.results([0, 1])
    assert next(results) == (0, "first")
    results.close()
    assert list(overlap.finished()) == [(1, "second")]


def test_progress_is_told_with_its_item():
    told = []
    overlap = Overlap(lambda item, control: control.step("half", 1, 2))
    overlap.on_progress = lambda item, progress: told.append((item, progress.stage, progress.fraction))
    list(overlap.results(["a", "b"]))
    assert sorted(told) == [("a", "half", 0.5), ("b", "half", 0.5)]


def test_warnings_are_told_with_their_item():
    told = []
    overlap = Overlap(lambda item, control: control.warn("odd"))
    overlap.on_warning = lambda *said: told.append(said)
    list(overlap.results(["a", "b"]))
    assert sorted(told) == [("a", "odd"), ("b", "odd")]
