"""One job over many items: in processes of this machine, or on a Dask cluster.

Processes here too, and not this one: an item that brings its process down (for want of memory, say)
then takes no other with it. Which item that was is known, because no more are handed out than there
are processes, and those that were in work are then tried one by one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from napari_spineseg import __version__
from napari_spineseg.errors import SettingsError, SpineSegError
from napari_spineseg.progress import Control

if TYPE_CHECKING:
    from distributed import Client

Item = TypeVar("Item")
Result = TypeVar("Result")

_ANSWER_S = 20


class LostError(SpineSegError):
    """The process that worked on an item is gone."""


def here(
    work: Callable[[Item], Result], items: Iterable[Item], at_once: int = 1
) -> Iterator[tuple[Item, Result | LostError]]:
    """`work` on every item in `at_once` processes of this machine, as they are done.

    Parameters
    ----------
    work
        Known by name to a fresh process (no lambda, nothing nested). It stops early if it asks
        `control_of_worker` now and then. What it raises is raised here.

    Yields
    ------
    item, result
        A `LostError` for an item whose process ended twice, the second time with nothing else in work.
    """
    waiting, alone = deque(items), deque[Item]()
    while waiting or alone:
        # Those that were in work when a process ended go one at a time.
        source, width = (alone, 1) if alone else (waiting, at_once)
        alone.extend((yield from _until_one_ends(work, source, width)))


def _until_one_ends(
    work: Callable[[Item], Result], source: deque[Item], width: int
) -> Generator[tuple[Item, Result | LostError], None, list[Item]]:
    """As `here`, until `source` is empty or a process ends; returns the items that then were in work."""
    running: dict[Future[Result], Item] = {}
    with _processes(width) as pool, suppress(BrokenProcessPool):
        while source or running:
            while source and len(running) < width:
                running[pool.submit(work, source[0])] = source[0]
                source.popleft()
            done = wait(running, return_when=FIRST_COMPLETED).done
            ended = {future for future in done if isinstance(future.exception(), BrokenProcessPool)}
            for future in done - ended:
                yield running.pop(future), future.result()
            if ended and len(running) == 1:
                yield running.popitem()[1], LostError("its process ended, most likely for want of memory.")
            if ended:
                break
    return list(running.values())


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that stop at the next step when this is left early, and end if this process is killed."""
    # A fork after torch has used its threads hangs
    fresh = multiprocessing.get_context("spawn")
    stop = fresh.Event()
    pool = ProcessPoolExecutor(count, fresh, _begin, (stop,))
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


_stop: Any = None
"""In a process of `here`: set once the work is no longer wanted."""


def control_of_worker() -> Control:
    """What work in a process of `here` reports to: it learns there that it should stop."""
    return Control(should_stop=None if _stop is None else _stop.is_set)


def _begin(stop: Any) -> None:
    """What a fresh process does first."""
    global _stop
    _stop = stop
    # Ctrl-C in a terminal reaches every process of it; whoever started us says what is to be done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print there would come between what is said.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def on_cluster(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    scheduler: str,
    say: Callable[[str], None] = lambda words: None,
) -> Iterator[tuple[Item, Result | LostError]]:
    """`work` on every item on the workers of the Dask scheduler at `scheduler`, as they are done.

    Parameters
    ----------
    scheduler
        Such as "tcp://10.0.0.1:8786".
    say
        Told what a person should know while they wait.

    Raises
    ------
    SettingsError
        If Dask is not installed, nothing answers, or workers have another version of SpineSeg or none.
    """
    try:
        from distributed import as_completed
    except ImportError:
        raise SettingsError("--scheduler needs Dask: install spineseg[cluster].") from None
    with _client(scheduler) as client:
        _check_workers(client, scheduler, say)
        futures = {client.submit(work, item, pure=False): item for item in items}
        try:
            for future in as_completed(futures, loop=client.loop):
                yield futures.pop(future), _result_of(future)
        finally:
            client.cancel(list(futures))


def _client(scheduler: str) -> Client:
    from distributed import Client

    try:
        return Client(scheduler, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(f"No Dask scheduler answers at {scheduler}: {error}.") from None


def _check_workers(client: Client, scheduler: str, say: Callable[[str], None]) -> None:
    """See that every worker runs what we run."""

    def version() -> str | None:
        # Nested, so that it travels whole: a worker may know nothing of this package.
        from importlib import metadata

        try:
            return metadata.version("spineseg")
        except metadata.PackageNotFoundError:
            return None

    versions = client.run(version)
    if not versions:
        say(f"No worker has joined {scheduler} yet; waiting for one.")
    for worker, found in versions.items():
        if found != __version__:
            there = f"SpineSeg {found}" if found else "no SpineSeg"
            raise SettingsError(f"The worker {worker} has {there}; install spineseg {__version__} there.")


def _result_of(future: Any) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return LostError("the workers that took it on ended, most likely for want of memory.")
