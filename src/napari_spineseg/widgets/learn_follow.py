"""Hears what a learning run says, without ever waiting for it."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from napari_spineseg.learning.client import LearningRun, interrupted_runs, living_runs
from napari_spineseg.learning.events import FINAL, StateEvent

_POLL_MS = 200
# Looking whether the process lives reads a lock: every so many polls is enough.
_LOOK_EVERY = 10


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

    @property
    def active(self) -> bool:
        """Whether a run is followed."""
        return self._timer.isActive()

    def follow(self, run: LearningRun) -> None:
        """Listen to `run`, from the first thing it said."""
        self.run, self._polls = run, 0
        self._timer.start()

    def _poll(self) -> None:
        self._polls += 1
        over = ""
        for event in self.run.new_events():
            self.said.emit(event)
            if isinstance(event, StateEvent) and event.phase in FINAL:
                over = event.phase
        if not over and self._polls % _LOOK_EVERY == 0 and self.run.status == "interrupted":
            over = "interrupted"
        if over:
            self._timer.stop()
            self.ended.emit(over)


def run_to_attach() -> LearningRun | None:
    """A run that goes on, whoever started it."""
    return next(iter(living_runs()), None)


def run_to_resume() -> LearningRun | None:
    """The latest run whose process is gone."""
    return next(iter(interrupted_runs()), None)
