"""Runs a job beside the window: progress to napari's own bar, stop at the next tile, errors as sentences."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from threading import Event
from typing import Any

from napari.utils import progress as napari_progress
from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, QThreadPool, QTimer, Signal

from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.progress import Control, Progress

_DRAW_MS = 40
_LAST_TILE_MS = 30_000
_RUNNING: set[Job] = set()


class Job(QObject):
    """One call of `work(control)` in a thread of Qt's pool.

    All signals arrive in the thread that made the job. Exactly one of `returned`, `failed` and
    `stopped` is sent, then `ended`; none is once the owner is gone, who would hear them.

    Parameters
    ----------
    work
        Gets a `Control`; must call its `step` or `check` often, for that is where it stops.
    title
        What napari's activity bar says; without one it has no bar there.
    owner
        The widget that shows the job. When it goes, the job is told to stop.
    """

    progressed = Signal(object)
    returned = Signal(object)
    failed = Signal(object)
    stopped = Signal()
    ended = Signal()
    _stepped = Signal(object)
    _done = Signal(object, object)

    def __init__(self, work: Callable[[Control], Any], title: str = "", owner: QObject | None = None) -> None:
        super().__init__()
        self._work = work
        self._stop = Event()
        self._bar = _ActivityBar(title)
        self.running = False
        self._orphaned = False
        self._stepped.connect(self._on_step)
        self._done.connect(self._deliver)
        if owner is not None:
            owner.destroyed.connect(self._on_owner_gone)

    @property
    def stopping(self) -> bool:
        """Whether a person, or the end of the window, asked for a stop."""
        return self._stop.is_set()

    def start(self) -> Job:
        """Start working. Returns the job itself."""
        self.running = True
        _RUNNING.add(self)  # until its last signal has arrived, whoever else forgets it
        self._bar.open()
        QThreadPool.globalInstance().start(self._run)
        return self

    def stop(self) -> None:
        """Stop at the next tile."""
        self._stop.set()

    def _run(self) -> None:
        """In the thread of the pool."""
        result = error = None
        try:
            result = self._work(Control(self._stepped.emit, self._stop.is_set))
        except Stopped:
            self._stop.set()
        # Whatever it is, it belongs to the person who waits, not to a thread that nobody watches.
        except Exception as raised:
            error = raised
        self._done.emit(result, error)

    def _on_owner_gone(self) -> None:
        self._orphaned = True
        self._stop.set()

    def _on_step(self, progress: Progress) -> None:
        self._bar.show(progress)
        if not self._orphaned:
            self.progressed.emit(progress)

    def _deliver(self, result: Any, error: Exception | None) -> None:
        """In the thread that made the job. A stop that came after the result still counts."""
        if self._orphaned:
            self._close()
            return
        if error is not None:
            self.failed.emit(error)
        elif self._stop.is_set():
            self.stopped.emit()
        else:
            self.returned.emit(result)
        self._close()
        self.ended.emit()

    def _close(self) -> None:
        self.running = False
        _RUNNING.discard(self)
        self._bar.close()


@atexit.register
def _finish() -> None:
    """Before Python ends, let running jobs reach their next tile: their threads need what would go away."""
    for job in list(_RUNNING):
        job.stop()
    QThreadPool.globalInstance().waitForDone(_LAST_TILE_MS)


def report(error: BaseException) -> str:
    """Tell a person what went wrong, as a napari notification. Returns the sentence.

    A mistake that was foreseen is one sentence. A bug keeps its traceback, one click away.
    """
    if isinstance(error, SpineSegError):
        show_error(str(error))
        return str(error)
    notification_manager.receive_error(type(error), error, error.__traceback__)
    return f"Something went wrong inside SpineSeg ({type(error).__name__}). The notification has the details."


class _ActivityBar(QObject):
    """The job's line in napari's activity dialog.

    napari draws each change at once and lets all waiting events in while it does, the next tile's
    among them: tiles would pile up inside one another. So a timer draws the latest, one at a time.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._bar: napari_progress | None = None
        self._stage = ""
        self._latest: Progress | None = None
        self._drawing = False
        self._timer = QTimer(self, singleShot=True, interval=_DRAW_MS)
        self._timer.timeout.connect(self._draw)

    def open(self) -> None:
        if self._title:
            # Without a total napari shows a bar that only says "busy", which is true until the first tile.
            self._bar = napari_progress(total=0, desc=self._title)

    def show(self, progress: Progress) -> None:
        self._latest = progress
        if self._bar is not None and not self._timer.isActive():
            self._timer.start()

    def close(self) -> None:
        self._timer.stop()
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _draw(self) -> None:
        if self._drawing:
            self._timer.start()
            return
        self._drawing = True
        try:
            self._draw_on(self._bar, self._latest)
        finally:
            self._drawing = False

    def _draw_on(self, bar: napari_progress | None, progress: Progress) -> None:
        if bar is None:
            return
        if (progress.stage, progress.total) != (self._stage, bar.total):
            self._stage = progress.stage
            bar.reset(total=progress.total)
            bar.total = progress.total
            bar.set_description(f"{self._title}: {progress.stage}")
        if self._bar is bar:  # the job's end may have come in while napari drew
            bar.update(progress.done - bar.n)
