"""Starting, following and stopping a run, without Qt and without torch. The page and the command use this.

A run is a process of its own. What it says lands in its folder, and is read from there: a window
that was closed and opened again follows a run as one that started it does::

    run = LearningRun.start(LearnSettings(model="lumbar"))      # returns at once
    for event in run.new_events(): ...                          # never waits: for a timer in the GUI thread
    for event in run.follow(): ...                              # waits: for a command or a thread
    run.stop("keep")                                            # or "discard"

    for run in living_runs(): ...                               # to attach to at start
    for run in interrupted_runs(): run.resume()                 # killed, or the computer went off
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Literal

from napari_spineseg.errors import SpineSegError
from napari_spineseg.learning.run.events import (
    ErrorEvent,
    Event,
    PlanEvent,
    StateEvent,
    VerdictEvent,
)
from napari_spineseg.learning.run.folder import RunFolder, all_runs
from napari_spineseg.learning.run.starting import model_to_learn_from
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models.registry import check_new_name

RunStatus = Literal[
    "starting", "queued", "preparing", "training", "judging", "finished", "stopped", "failed", "interrupted"
]
"""Phases of `StateEvent`, and: starting (the process is coming up), interrupted (it is gone, and can be
resumed)."""

_STARTUP_SECONDS = 60.0
_POLL_SECONDS = 0.1
# Threads that wait for each other sleep: by default they spin, and on a busy machine a step then took three
# times the processor time. It has to be said before torch is there.
_QUICK = {"OMP_WAIT_POLICY": "PASSIVE"}


class LearningRun:
    """One run, whether this process started it or not.

    Attributes
    ----------
    folder
        Where it keeps its job, its events and its pictures.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._place = 0
        self._last: StateEvent | None = None
        self._verdict: VerdictEvent | None = None

    @classmethod
    def start(cls, settings: LearnSettings, outlives: bool = False) -> LearningRun:
        """Start a run in a process of its own; returns at once.

        Parameters
        ----------
        outlives
            Whether it goes on when this process ends. Otherwise it then stops where it is, and can be
            resumed; `let_live` changes that later.

        Raises
        ------
        ModelError
            If the new model's name cannot be one, or the model to start from is missing or cannot learn.
        StoreError
            If the disk refuses.
        """
        if settings.name:
            check_new_name(settings.name)
        model_to_learn_from(settings.model)
        run = cls(RunFolder.create(settings))
        run._launch(outlives)
        return run

    @property
    def id(self) -> str:
        """The run's name; ids sort by time."""
        return self.folder.id

    @property
    def settings(self) -> LearnSettings:
        """What it is doing."""
        return self.folder.settings

    @property
    def status(self) -> RunStatus:
        """Where it is. Reads the lock of its folder: cheap, but not for every frame."""
        state = self.folder.state
        if state is not None and self.folder.ended:
            return state.phase
        if self.folder.has_worker:
            return state.phase if state is not None else "starting"
        if self._is_coming_up():
            return "starting"
        return "interrupted"

    @property
    def verdict(self) -> VerdictEvent | None:
        """The gate's word, once it was spoken."""
        found = [e for e in self.folder.events()[0] if isinstance(e, VerdictEvent)]
        return found[-1] if found else None

    @property
    def plan(self) -> PlanEvent | None:
        """What is trained, once it is known."""
        found = [e for e in self.folder.events()[0] if isinstance(e, PlanEvent)]
        return found[-1] if found else None

    @property
    def error(self) -> ErrorEvent | None:
        """Why it failed, if it did."""
        found = [e for e in self.folder.events()[0] if isinstance(e, ErrorEvent)]
        return found[-1] if found else None

    def new_events(self) -> list[Event]:
        """What it said since the last call (at the first: everything). Never waits."""
        found, self._place = self.folder.events(self._place)
        return found

    def follow(self, poll: float = _POLL_SECONDS) -> Iterator[Event]:
        """Everything it says until it has ended, as it says it.

        Raises
        ------
        SpineSegError
            If its process is gone before it has ended.
        """
        while True:
            # Asked before reading, so that what was said last is not missed.
            over = self.status in ("finished", "stopped", "failed", "interrupted")
            yield from self.new_events()
            if over:
                break
            time.sleep(poll)
        if self.status == "interrupted":
            raise SpineSegError(
                f"The process of run {self.id} ended before it was done; `spineseg learn --resume {self.id}` "
                "goes on where it was."
            )

    def stop(self, how: Literal["keep", "discard"]) -> None:
        """Ask it to stop after the step it is in. Returns at once; the events tell what came of it.

        keep: the best model so far goes through the gate and into the registry. discard: nothing is kept.
        """
        self.folder.command(f"stop {how}")
        if how == "discard" and self.status == "interrupted":
            self._discard()

    def end_at_once(self) -> None:
        """End the process amid its step, whoever started it; the run can be resumed then."""
        self.folder.command("end")
        if self._process is not None:
            self._process.kill()

    def let_live(self) -> None:
        """Let it go on when this process ends, though it was not started so."""
        self.folder.command("outlive")

    def resume(self, outlives: bool = False) -> None:
        """Go on with a run whose process is gone, where it was.

        Raises
        ------
        SpineSegError
            If it has ended, or goes on already.
        """
        status = self.status
        if status != "interrupted":
            raise SpineSegError(f"Run {self.id} is {status}; there is nothing to resume.")
        self.folder.forget_commands()
        self._launch(outlives)

    def wait(self, seconds: float | None = None) -> RunStatus:
        """Wait until it has ended or is gone, or the time is over; returns where it is then."""
        until = None if seconds is None else time.monotonic() + seconds
        while (status := self.status) not in ("finished", "stopped", "failed", "interrupted"):
            if until is not None and time.monotonic() > until:
                break
            time.sleep(_POLL_SECONDS)
        return status

    @property
    def pid(self) -> int | None:
        """The process that this object started, if it did and it lives."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def _launch(self, outlives: bool) -> None:
        """Start the worker. Its stdin is a pipe that ends with this process, unless it is to outlive it."""
        words = [sys.executable, "-m", "napari_spineseg.learning.run.worker", str(self.folder.job_file)]
        log = self.folder.path / "worker.log"
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*words, "--outlives"] if outlives else words,
                stdin=subprocess.DEVNULL if outlives else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_QUICK | os.environ,
                # Ctrl-C in the terminal is for the client, who then asks the worker to stop.
                start_new_session=os.name != "nt",
            )
        self._started_at = time.monotonic()

    def _is_coming_up(self) -> bool:
        """Whether the process that was started has not taken its lock yet."""
        if self._process is None or self._process.poll() is not None:
            return False
        return time.monotonic() - self._started_at < _STARTUP_SECONDS

    def _discard(self) -> None:
        self.folder.say(StateEvent(phase="stopped", sentence="Discarded; no model was made."))
        self.folder.tidy()


def open_run(run_id: str) -> LearningRun:
    """The run of that id.

    Raises
    ------
    SpineSegError
        If there is none.
    """
    for folder in all_runs():
        if folder.id == run_id:
            return LearningRun(folder)
    raise SpineSegError(f"There is no learning run {run_id!r}.")


def list_runs() -> list[LearningRun]:
    """Every run, latest first."""
    return [LearningRun(folder) for folder in all_runs()]


def living_runs() -> list[LearningRun]:
    """Runs that a process works on or that are queued, latest first."""
    return [run for run in list_runs() if not run.folder.ended and run.folder.has_worker]


def interrupted_runs() -> list[LearningRun]:
    """Runs whose process is gone before they had ended, latest first."""
    return [run for run in list_runs() if run.status == "interrupted"]
