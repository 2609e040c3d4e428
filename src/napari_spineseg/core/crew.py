"""Several slices at a time, each on one thread.

Threads that share one convolution wait for each other after every layer, and on a busy machine for
the slowest of them: two threads then take three times as long as one. Threads that each have a slice
of their own never wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from typing import Any

from napari_spineseg.core.device import threads, usable_cpus

# Each slice at work needs memory of its own; beyond this, threads share slices again.
MOST = 4


class Crew:
    """A few threads that work through a list.

    Parameters
    ----------
    pool
        Who works; None where one at a time is best.
    """

    def __init__(self, pool: ThreadPoolExecutor | None) -> None:
        self._pool = pool

    def run(self, work: Callable[[Any], Any], items: Iterable[Any], on_done: Callable[[Any], None]) -> None:
        """Call `work(item)` for each item, and `on_done(item)` after it from the calling thread.

        The first exception, of either, ends it: what was not begun stays undone, and nothing is
        still at work when it is raised.
        """
        if self._pool is None:
            for item in items:
                work(item)
                on_done(item)
            return
        ended = threading.Event()

        def work_unless_ended(item: Any) -> bool:
            if ended.is_set():
                return False
            try:
                work(item)
            except BaseException:
                ended.set()  # At once: the calling thread may take a while to hear of it
                raise
            return True

        futures = {self._pool.submit(work_unless_ended, item): item for item in items}
        try:
            for future in as_completed(futures):
                if future.result():
                    on_done(futures[future])
        finally:
            ended.set()
            wait(futures)


@contextmanager
def crew(alone: bool = False) -> Iterator[Crew]:
    """As many threads as there are processors to keep busy; `alone`: one, as on a GPU."""
    cpus = usable_cpus()
    workers = 1 if alone else min(cpus, MOST)
    if workers == 1:
        yield Crew(None)
        return
    with threads(max(1, cpus // workers)), ThreadPoolExecutor(workers, "spineseg") as pool:
        yield Crew(pool)
