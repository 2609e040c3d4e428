"""Hears what a learning run says, without ever waiting for it."""

from __future__ import annotations

import time
from collections import deque

from qtpy.QtCore import QObject, QTimer, Signal

from napari_spineseg.learning.run.client import LearningRun, interrupted_runs, list_runs, living_runs
from napari_spineseg.learning.run.events import FINAL, Event, StateEvent

_POLL_MS = 200
# Looking whether the process lives reads a lock: every so many polls is enough.
_LOOK_EVERY = 10
# What a run says in one breath is passed on in portions, with the window drawing in between.
_PORTION_S = 0.01
_PAUSE_MS = 5


class RunFollower(QObject):
    """Passes on the events of one run, in the thread of the window."""

    said = Signal(object)
    ended = Signal(str)
    """The run has ended ("finished", "stopped", "failed"), or its process is gone ("interrupted")."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.run: LearningRun | None = None
        self._polls = 0
        self._timer = QTimer(self, interval=_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._heard: deque[Event] = deque()
        self._over = ""
        self._passing = QTimer(self, interval=_PAUSE_MS)
        self._passing.timeout.connect(self._pass_on)

    @property
    def active(self) -> bool:
        """Whether a run is followed."""
        return self._timer.isActive() or self._passing.isActive()

    def follow(self, run: LearningRun) -> None:
        """Listen to `run`, from the first thing it said."""
        self.run, self._polls, self._over = run, 0, ""
        self._heard.clear()
        self._timer.start()

    def _poll(self) -> None:
        self._polls += 1
        self._heard.extend(self.run.new_events())
        last = next((e for e in reversed(self._heard) if isinstance(e, StateEvent)), None)
        if last is not None and last.phase in FINAL:
            self._over = last.phase
        elif self._polls % _LOOK_EVERY == 0 and self.run.status == "interrupted":
            self._over = "interrupted"
        if self._over:
            self._timer.stop()
        if self._heard or self._over:
            self._passing.start()

    def _pass_on(self) -> None:
        """A portion of what was heard; when nothing is left, that the run is over."""
        until = time.perf_counter() + _PORTION_S
        while self._heard and time.perf_counter() < until:
            self.said.emit(self._heard.popleft())
        if self._heard:
            return
        self._passing.stop()
        if self._over:
            over, self._over = self._over, ""
            self.ended.emit(over)


def run_to_attach() -> LearningRun | None:
    """A run that goes on, whoever started it."""
    return next(iter(living_runs()), None)


def run_to_resume() -> LearningRun | None:
    """The latest run whose process is gone."""
    return next(iter(interrupted_runs()), None)


def run_to_tell() -> LearningRun | None:
    """The latest run, if it came to its end while nobody looked."""
    run = next(iter(list_runs()), None)
    return run if run is not None and run.folder.ended and not run.folder.seen else None
