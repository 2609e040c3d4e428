"""Keeps what is drawn safe: autosave while drawing, versions on request, one question after a crash.

All disk work is done beside the window. Nothing is written before something is drawn.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_spineseg.corrections.autosave import INTERVAL_S, Autosave
from napari_spineseg.corrections.entry import ReviewState, numbering_from
from napari_spineseg.corrections.journal import Journal, Recovered, count_unsaved, discard, read_journal
from napari_spineseg.corrections.store import CorrectionsStore, Entry, Version, default_store
from napari_spineseg.errors import SpineSegError, Stopped, StoreError
from napari_spineseg.io.layers import LayerView, scan_from, segmentation_from
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan
from napari_spineseg.widgets.session import about
from napari_spineseg.widgets.worker import Job

# A pause longer than this is no work on the scan.
_PAUSE_S = 30.0


@dataclass
class Work:
    """One segmentation layer that is being corrected."""

    layer: Labels
    scan: LayerView
    first: np.ndarray
    """The labels as they came, before anybody drew: what the model said."""
    start: np.ndarray
    """The labels as they were when the page began to keep them."""
    entry: Entry | None = None
    prediction: Version | None = None
    journal: Journal | None = None
    autosave: Autosave | None = None
    carried: int = 0
    old_journals: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    last_paint: float = 0.0
    drawn: bool = False
    closed: bool = False
    lock: Lock = field(default_factory=Lock)
    """Held by whoever touches the store for this layer."""


@dataclass(frozen=True)
class Offer:
    """Labels of this scan that the store holds and the window does not show.

    `path` is the journal that a crash left behind; None for the latest version.
    """

    labels: np.ndarray
    about: dict[str, Any]
    words: str
    path: Path | None = None


class Keeper(QObject):
    """The corrections store as the Correct page uses it."""

    offered = Signal(object)
    """An `Offer`: the person is asked once."""
    saved = Signal(object)
    """A `Version` is in the store."""
    safe = Signal()
    """All that was drawn up to now is on disk."""
    failed = Signal(object)

    def __init__(self, parent: QObject, store: Callable[[], Path] = default_store) -> None:
        super().__init__(parent)
        self._store = store
        self._work: Work | None = None
        self._job: Job | None = None
        self._waiting: list[tuple[Callable[[Control], Any], Callable[[Any], None], Work]] = []
        self._known: weakref.WeakKeyDictionary[Labels, Work] = weakref.WeakKeyDictionary()
        self._timer = QTimer(self, interval=int(INTERVAL_S * 1000))
        self._timer.timeout.connect(self.look)

    @property
    def busy(self) -> bool:
        """Whether something is being read or written."""
        return self._job is not None or bool(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether it keeps nothing: the scan may not have been open."""
        return self._work is None

    @property
    def entry(self) -> Entry | None:
        """The scan in the store, once something was drawn or found."""
        return self._work.entry if self._work else None

    def attach(self, layer: Labels, scan: Image) -> None:
        """Keep what is drawn on `layer`, which lies on `scan`. Looks what the store has of it."""
        self.detach()
        now = np.array(layer.data)
        known = self._known.get(layer)
        work = self._work = Work(layer, LayerView.of(scan), now if known is None else known.first, now)
        if known is not None:
            work.entry, work.prediction, work.seconds = known.entry, known.prediction, known.seconds
        self._known[layer] = work
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_paint)
        self._timer.start()
        self._enqueue(lambda _: _find(self._store(), work), self._on_found, work)

    def detach(self) -> None:
        """Stop keeping; what is not in a version stays in the journal. Waits for the disk."""
        self._timer.stop()
        self._waiting.clear()
        work, self._work = self._work, None
        if work is None:
            return
        work.layer.events.paint.disconnect(self._on_paint)
        work.layer.events.data.disconnect(self._on_paint)
        try:
            _end(self._store(), work)
        except SpineSegError as error:
            self.failed.emit(error)

    def shut_down(self) -> None:
        """The same when the window goes, and nothing of Qt may be touched any more."""
        work, self._work = self._work, None
        if work is not None:
            _end(self._store(), work)

    def look(self) -> None:
        """Save what changed since the last look."""
        work = self._work
        if work is not None and work.drawn and not self.busy:
            self._enqueue(lambda _: _save_changes(self._store(), work), self._on_looked, work)

    def save_version(self, state: ReviewState | None = None, note: str = "", author: str = "") -> None:
        """Put the labels into the store as a version, and set the review state."""
        work = self._work
        if work is None:
            return
        view, seconds = LayerView.of(work.layer), round(work.seconds, 1)

        def write(_: Control) -> Version:
            _start(self._store(), work)
            work.autosave.labels = work.layer.data
            labels, changes = work.autosave.settle(numbering=_numbering(work.layer))
            segmentation = segmentation_from(replace(view, data=labels))
            version = work.entry.add_version(segmentation, work.prediction, author, seconds, note)
            work.journal.mark_version(version.number, changes)
            if state is not None:
                work.entry.say(state, note, author)
            return version

        self._enqueue(write, self._on_written, work)

    def accepted(self, offer: Offer) -> None:
        """The offer was taken: what it held is on the layer, and will be in this session's journal."""
        if offer.path is not None and self._work is not None:
            self._work.old_journals.append(offer.path)

    def declined(self, offer: Offer) -> None:
        """The offer was not wanted. What it held is kept under another name."""
        if offer.path is not None:
            try:
                discard(offer.path)
            except OSError as error:
                self.failed.emit(StoreError(f"{offer.path} cannot be put aside ({error.strerror})."))

    def _on_paint(self, event: object = None) -> None:
        work = self._work
        if work is None:
            return
        now = time.monotonic()
        if work.drawn and now - work.last_paint < _PAUSE_S:
            work.seconds += now - work.last_paint
        work.last_paint, work.drawn = now, True

    def _on_found(self, offer: Offer | None) -> None:
        if offer is not None and self._work is not None and not self._work.drawn:
            self.offered.emit(offer)

    def _on_looked(self, changed: int) -> None:
        self.safe.emit()

    def _on_written(self, version: Version) -> None:
        self.saved.emit(version)

    def _enqueue(self, job: Callable[[Control], Any], then: Callable[[Any], None], work: Work) -> None:
        """One thing at a time, in order: the journal has one writer."""
        self._waiting.append((job, then, work))
        if self._job is None:
            self._next()

    def _next(self) -> None:
        self._job = None
        if not self._waiting:
            return
        do, then, work = self._waiting.pop(0)

        def alone(control: Control) -> Any:
            with work.lock:
                if work.closed:
                    raise Stopped("The layer was left meanwhile.")
                return do(control)

        job = self._job = Job(alone)
        job.returned.connect(then)
        job.failed.connect(self.failed)
        job.ended.connect(self._next)
        job.start()


def _find(store: Path, work: Work) -> Offer | None:
    """What the store holds of this scan that is not what the layer shows."""
    try:
        kept = CorrectionsStore(store)
    except StoreError:
        return None  # there is none yet
    entry = kept.find(_scan(work))
    if entry is None:
        return None
    work.entry = entry
    for path in entry.unfinished():
        found = read_journal(path)
        if np.array_equal(found.labels, work.start):
            # It is on the layer already: this session goes on with it.
            work.carried, work.drawn = max(work.carried, found.unsaved), True
            work.old_journals.append(path)
        elif found.labels.shape == work.start.shape:
            return Offer(found.labels, dict(found.about), _restore_words(found), path)
    latest = entry.latest
    if latest is None:
        return None
    segmentation = latest.load()
    labels = segmentation.grid.to_orientation().apply(segmentation.labels)
    if np.array_equal(labels, work.start):
        return None
    words = (
        f"This scan was corrected before ({_when(latest.about.get('created', ''))}, version {latest.number})."
    )
    return Offer(np.ascontiguousarray(labels), dict(latest.about), words)


def _start(store: Path, work: Work) -> None:
    """Make the entry, keep the prediction, begin the journal: once, when there is something to keep."""
    if work.autosave is not None:
        return
    if work.entry is None:
        work.entry = CorrectionsStore(store, create=True).add(_scan(work))
    known = about(work.layer)
    model = (known.get("provenance") or {}).get("model")
    view = LayerView.of(work.layer)
    if model and work.prediction is None:
        predicted = segmentation_from(replace(view, data=work.first))
        work.prediction = work.entry.add_prediction(predicted, model)
    said = {"scheme": known.get("scheme", "levels"), "numbering": _numbering(work.layer)}
    work.journal = work.entry.start_journal(work.start, said, work.carried)
    work.autosave = Autosave(work.layer.data, work.journal, saved=work.start.copy())


def _save_changes(store: Path, work: Work) -> int:
    _start(store, work)
    # Somebody may have given the layer another array.
    work.autosave.labels = work.layer.data
    count = work.autosave.look(numbering=_numbering(work.layer))
    _drop_old(work)
    return count


def _end(store: Path, work: Work) -> None:
    """A last look; then the journal goes if a version holds everything, and stays if not."""
    with work.lock:
        work.closed = True
        if work.drawn or work.journal is not None:
            _start(store, work)
            _leave(work)


def _leave(work: Work) -> None:
    work.autosave.labels = work.layer.data
    work.autosave.look(numbering=_numbering(work.layer))
    _drop_old(work)
    if count_unsaved(work.journal.path):
        work.journal.leave()
    else:
        work.journal.finish()


def _drop_old(work: Work) -> None:
    """Journals whose content was taken over are in this one now."""
    for path in work.old_journals:
        if path.exists():
            discard(path)
    work.old_journals.clear()


def _scan(work: Work) -> Scan:
    return scan_from(work.scan)


def _numbering(layer: Labels) -> dict[str, int]:
    numbering = numbering_from(about(layer))
    return {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}


def _restore_words(found: Recovered) -> str:
    changes = "1 change" if found.unsaved == 1 else f"{found.unsaved} changes"
    return f"SpineSeg ended before {changes} of {_when(found.last)} were saved as a version."


def _when(stamp: str) -> str:
    """A time stamp as a person reads it, in their own time."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %Y, %H:%M")
    except ValueError:
        return "an unknown time"
