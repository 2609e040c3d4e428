"""Two scans in work at once: the network looks at one, while the one before is written or the next read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from napari_spineseg.progress import Control, Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

_AT_ONCE = 2


class Overlap(Generic[Item, Result]):
    """Works on items in two threads and gives back the results in the items' order.

    Attributes
    ----------
    on_progress
        Told what the items in work report, one report at a time.
    on_warning
        Told what they warn of, in the same way.
    """

    def __init__(self, work: Callable[[Item, Control], Result]) -> None:
        self.on_progress: Callable[[Item, Progress], None] = lambda item, progress: None
        self.on_warning: Callable[[Item, str], None] = lambda item, sentence: None
        self._work = work
        self._stop, self._telling = threading.Event(), threading.Lock()
        self._futures: list[tuple[Item, Future[Result]]] = []

    def results(self, items: Sequence[Item]) -> Generator[tuple[Item, Result], None, None]:
        """Each item and what came of it, as soon as those before it are done too.

        What `work` raises is raised here. Left early, for that or any other reason, it stops what is
        in work at its next step and begins nothing more; `finished` has what was done by then.
        """
        with ThreadPoolExecutor(_AT_ONCE, "scan") as pool:
            self._futures = [(item, pool.submit(self._one, item)) for item in items]
            try:
                while self._futures:
                    item, future = self._futures[0]
                    result = future.result()
                    del self._futures[0]
                    yield item, result
            finally:
                self._stop.set()
                pool.shutdown(cancel_futures=True)

    def finished(self) -> Iterator[tuple[Item, Result]]:
        """What was done and not given back when `results` was left."""
        for item, future in self._futures:
            if not future.cancelled() and future.exception() is None:
                yield item, future.result()

    def _one(self, item: Item) -> Result:
        def tell(progress: Progress) -> None:
            with self._telling:
                self.on_progress(item, progress)

        def warn(sentence: str) -> None:
            with self._telling:
                self.on_warning(item, sentence)

        control = Control(tell, self._stop.is_set, warn)
        control.check()
        try:
            return self._work(item, control)
        except BaseException:
            self._stop.set()  # At once: whoever waits for an earlier item hears of it later
            raise
