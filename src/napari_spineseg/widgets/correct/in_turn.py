"""Disk work of the corrections store, one thing at a time and in order, beside the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.progress import Control
from napari_spineseg.widgets.correct.work import Work
from napari_spineseg.widgets.worker import Job


@dataclass(frozen=True, eq=False)
class Task:
    """One thing to do for one segmentation layer.

    Attributes
    ----------
    then
        Is told what came of it, in the thread of the window.
    must
        Whether it is done also for a layer that was left meanwhile: what a person asked to be kept.
    """

    work: Work
    do: Callable[[], Any]
    then: Callable[[Work, Any], None]
    must: bool = False


class InTurn(QObject):
    """A queue of tasks: the journal has one writer."""

    failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: Task | None = None
        self._waiting: list[Task] = []

    @property
    def busy(self) -> bool:
        """Whether something is being read or written."""
        return self._task is not None or bool(self._waiting)

    def add(self, task: Task) -> None:
        """Do this after all that was added before."""
        self._waiting.append(task)
        if self._task is None:
            self._next()

    def drop(self, work: Work) -> None:
        """Nobody waits any more for what was to be looked up for a layer."""
        self._waiting = [task for task in self._waiting if task.must or task.work is not work]

    def finish(self) -> None:
        """Do what must be done, here and now: the window goes, and no signal arrives any more."""
        while self._waiting:
            task = self._waiting.pop(0)
            try:
                if task.must:
                    _done(task)
            except SpineSegError:
                self.finish()  # what is left is none the worse for it
                raise

    def _next(self) -> None:
        self._task = self._waiting.pop(0) if self._waiting else None
        if (task := self._task) is None:
            return

        def alone(_: Control) -> Any:
            return _done(task)

        job = Job(alone)
        job.returned.connect(self._on_returned)
        job.failed.connect(self.failed)
        job.ended.connect(self._next)
        job.start()

    def _on_returned(self, result: Any) -> None:
        self._task.then(self._task.work, result)


def _done(task: Task) -> Any:
    with task.work.lock:
        if task.work.closed or (task.work.left is not None and not task.must):
            raise Stopped("The layer was left meanwhile.")
        return task.do()
