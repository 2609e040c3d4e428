"""The process that trains: `python -m napari_spineseg.learning.run.worker JOB.json [--outlives]`.

It says what it does as JSON lines on stdout, and keeps the same lines in the folder of JOB.json. It is
told to stop by a line on stdin or in the folder's commands.jsonl: `stop keep` or `stop discard`. `end` in
commands.jsonl ends it amid its step. When stdin ends it leaves the run as it is, to be resumed, unless it is
to outlive whoever started it.

Exit status: 0 ended (whatever the verdict), 2 an error that a person can mend, 1 a bug, 3 left to be resumed,
4 another process works on this run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.learning.run.events import ErrorEvent, Event, StateEvent
from napari_spineseg.learning.run.folder import RunFolder, device_lock
from napari_spineseg.learning.run.orders import Left, Order, Say
from napari_spineseg.memory import keep_memory

ENDED, BUG, BAD, LEFT, TAKEN = 0, 1, 2, 3, 4
_POLL_SECONDS = 0.25
# Behind the window, which sleeps most of the time and is quick at any niceness, but not behind everything:
# beside two busy programs on two cores 15 leaves a training 3 % of the processor, and 5 leaves it a quarter.
_NICENESS = 5


class Orders:
    """What the worker was told, by stdin and by the folder.

    Parameters
    ----------
    outlives
        Whether the end of stdin means nothing.
    """

    def __init__(self, folder: RunFolder, outlives: bool) -> None:
        self._folder = folder
        self._said: list[str] = []
        self._ended = False
        threading.Thread(target=self._end_when_told, name="end", daemon=True).start()
        if not outlives:
            threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def __call__(self) -> Order:
        """The order that holds: the first to stop, else to leave if stdin has ended."""
        said = [*self._said, *self._folder.commands()]
        for words in said:
            if words in ("stop keep", "stop discard"):
                # Who asked to keep may think better of it.
                return "stop discard" if "stop discard" in said else words
        return "leave" if self._ended and "outlive" not in said else ""

    def _end_when_told(self) -> None:
        """Not at the next step, as the others: whoever asks for it has waited for that in vain."""
        while "end" not in self._folder.commands():
            time.sleep(_POLL_SECONDS)
        os._exit(LEFT)

    def _listen(self) -> None:
        for line in sys.stdin:
            self._said.append(line.strip())
        self._ended = True


def main(argv: Sequence[str] | None = None) -> int:
    """Work on one run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="napari_spineseg.learning.run.worker")
    parser.add_argument("job", type=Path)
    parser.add_argument("--outlives", action="store_true")
    words = parser.parse_args(argv)
    folder = RunFolder(words.job.parent)
    mine = folder.lock()
    try:
        # Whoever asks whether somebody works on it holds the lock for a moment.
        mine.acquire(timeout=5)
    except Timeout:
        return TAKEN
    try:
        return _work(folder, Orders(folder, words.outlives))
    finally:
        mine.release()


def _work(folder: RunFolder, orders: Orders) -> int:
    if folder.ended:
        return ENDED

    def say(event: Event) -> None:
        folder.say(event)
        # Whoever started it may be gone; the folder has the line.
        with contextlib.suppress(OSError, ValueError):
            print(event.line(), flush=True)

    try:
        device = _wait_for_device(folder, say, orders)
    except Stopped:
        return _given_up(folder, say, orders())
    except SpineSegError as error:
        return _failed(folder, say, str(error))
    try:
        return _learn(folder, say, orders)
    finally:
        device.release()


def _learn(folder: RunFolder, say: Say, orders: Orders) -> int:
    # A few seconds of reading modules, for which somebody waits: they need not give way.
    from napari_spineseg.learning.run.session import Session

    _give_way()
    try:
        Session(folder, say, orders).run()
    except Left:
        return LEFT
    except SpineSegError as error:
        return _failed(folder, say, str(error))
    except MemoryError:
        return _failed(folder, say, "There is not enough free memory to train; close other programs.")
    except Exception as error:
        sentence = f"A bug in SpineSeg stopped the training: {error!r}."
        say(ErrorEvent(sentence=sentence, bug=traceback.format_exc()))
        say(StateEvent(phase="failed", sentence="Stopped by a bug in SpineSeg; please report it."))
        return BUG
    folder.tidy()
    return ENDED


def _give_way() -> None:
    """Let what a person looks at go first. Threads that are made from now on, torch's too, inherit it."""
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_NICENESS)


def _wait_for_device(folder: RunFolder, say: Say, orders: Orders) -> FileLock:
    """The lock of the device, as soon as no other run has it."""
    lock = device_lock(_device_name(folder.settings.device))
    told = False
    while True:
        try:
            lock.acquire(timeout=_POLL_SECONDS)
            return lock
        except Timeout:
            if not told:
                say(StateEvent(phase="queued", sentence="Waiting for another training run to end."))
                told = True
        if orders():
            raise Stopped("Stopped while waiting.")


def _device_name(asked: str) -> str:
    """What the lock is named after: a GPU by its kind, whether it was asked for or chosen."""
    if asked != "auto":
        return asked
    from napari_spineseg.core.device import choose_device

    return choose_device("auto").type


def _given_up(folder: RunFolder, say: Say, order: Order) -> int:
    if order == "leave":
        return LEFT
    say(StateEvent(phase="stopped", sentence="Stopped before training began; no model was made."))
    folder.tidy()
    return ENDED


def _failed(folder: RunFolder, say: Say, sentence: str) -> int:
    say(ErrorEvent(sentence=sentence))
    say(StateEvent(phase="failed", sentence=sentence))
    folder.tidy()
    return BAD


if __name__ == "__main__":
    keep_memory()
    sys.exit(main())
