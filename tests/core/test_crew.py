from __future__ import annotations

import threading
import time

import pytest
import torch

from napari_spineseg.core import crew as crews
from napari_spineseg.core.crew import crew


@pytest.fixture(params=[1, 3])
def cpus(request, monkeypatch) -> int:
    monkeypatch.setattr(crews, "usable_cpus", lambda: request.param)
    return request.param


def test_everything_is_done_once_and_told_by_the_caller(cpus):
    done, told, tellers = [], [], set()

    def on_done(item):
        told.append(item)
        tellers.add(threading.current_thread())

    with crew() as workers:
        workers.run(done.append, range(20), on_done)

    assert sorted(done) == sorted(told) == list(range(20))
    assert tellers == {threading.current_thread()}


def test_slices_are_at_work_together_each_on_its_share_of_threads(monkeypatch):
    monkeypatch.setattr(crews, "usable_cpus", lambda: 8)
    before = torch.get_num_threads()
    together = threading.Barrier(crews.MOST, timeout=20)
    seen = []

    def work(_):
        together.wait()  # passes only if as many are here at a time
        seen.append(torch.get_num_threads())

    with crew() as workers:
        workers.run(work, range(crews.MOST), lambda _: None)
    assert seen == [8 // crews.MOST] * crews.MOST
    assert torch.get_num_threads() == before


def test_alone_works_in_the_calling_thread(cpus):
    seen = set()
    with crew(alone=True) as workers:
        workers.run(lambda _: seen.add(threading.current_thread()), range(3), lambda _: None)
    assert seen == {threading.current_thread()}


@pytest.mark.parametrize("where", ["work", "on_done"])
def test_an_error_ends_it_and_nothing_goes_on_behind_it(where, cpus):
    begun = []

    def fail(at):
        def call(item):
            if at == "work":
                begun.append(item)
                time.sleep(0.01)
            if at == where:
                raise KeyError(item)

        return call

    with crew() as workers, pytest.raises(KeyError):
        workers.run(fail("work"), range(50), fail("on_done"))
    count = len(begun)
    assert count < 20
    time.sleep(0.05)
    assert len(begun) == count
