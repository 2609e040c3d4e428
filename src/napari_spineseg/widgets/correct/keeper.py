"""Keeps what is drawn safe: autosave while drawing, versions on request, one question after a crash.

All disk work is done beside the window. Nothing is written before something is drawn.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, QTimer, Signal

from napari_spineseg.corrections.autosave import INTERVAL_S
from napari_spineseg.corrections.entry import ReviewState
from napari_spineseg.corrections.journal import discard
from napari_spineseg.corrections.store import Entry, Version, default_store
from napari_spineseg.errors import StoreError
from napari_spineseg.io.layers import LayerView
from napari_spineseg.widgets.correct.in_turn import InTurn, Task
from napari_spineseg.widgets.correct.work import (
    Offer,
    Work,
    end_work,
    find_offer,
    save_changes,
    state_of,
    write_version,
)
from napari_spineseg.widgets.naming import key_of

# A pause longer than this is no work on the scan.
_PAUSE_S = 30.0


class Keeper(QObject):
    """The corrections store as the Correct page uses it."""

    offered = Signal(object)
    """An `Offer`: the person is asked once."""
    saved = Signal(object, object)
    """A `Version` of a `Labels` layer, which may have been left meanwhile, is in the store."""
    reviewed = Signal(str)
    """Where the review of the scan is, as the store has it."""
    safe = Signal()
    """All that was drawn up to now is on disk."""
    failed = Signal(object)

    def __init__(self, parent: QObject, store: Callable[[], Path] = default_store) -> None:
        super().__init__(parent)
        self._store = store
        self._work: Work | None = None
        self._turns = InTurn(self)
        self._turns.failed.connect(self.failed)
        self._known: weakref.WeakKeyDictionary[Labels, Work] = weakref.WeakKeyDictionary()
        self._unkept: weakref.WeakKeyDictionary[Labels, np.ndarray] = weakref.WeakKeyDictionary()
        self._timer = QTimer(self, interval=int(INTERVAL_S * 1000))
        self._timer.timeout.connect(self.look)

    @property
    def busy(self) -> bool:
        """Whether something is being read or written."""
        return self._turns.busy

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
        before = self._unkept.pop(layer, None)
        before = before if before is not None and before.shape == layer.data.shape else None
        now = np.array(layer.data) if before is None else before
        known, key = self._known.get(layer), key_of(scan)
        if known is not None and known.key != key:
            known = None  # a person said that the labels are another scan's: nothing is taken along
        first = now if known is None else known.first
        work = self._work = Work(layer, LayerView.of(scan), first, now, key)
        work.drawn = before is not None and not np.array_equal(before, layer.data)
        if known is not None:
            work.entry, work.prediction, work.seconds = known.entry, known.prediction, known.seconds
        self._known[layer] = work
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_paint)
        self._timer.start()
        store = self._store
        self._do(work, lambda: (find_offer(store(), work), state_of(work)), self._on_found)

    def wait(self, layer: Labels) -> None:
        """Keep in mind what `layer` was before anybody drew, until it is known which scan it lies on."""
        if layer not in self._unkept:
            self._unkept[layer] = np.array(layer.data)

    def detach(self) -> None:
        """Stop keeping; what is not in a version stays in the journal. Does not wait for the disk."""
        self._timer.stop()
        work, self._work = self._work, None
        if work is None:
            return
        work.layer.events.paint.disconnect(self._on_paint)
        work.layer.events.data.disconnect(self._on_paint)
        self._turns.drop(work)
        # What is drawn from now on is no longer this session's.
        work.left = np.array(work.layer.data)
        store = self._store
        self._do(work, lambda: end_work(store(), work), must=True)

    def shut_down(self) -> None:
        """The same when the window goes, and nothing of Qt may be touched any more. Waits for the disk."""
        work, self._work = self._work, None
        try:
            self._turns.finish()
        finally:
            if work is not None:
                with work.lock:
                    end_work(self._store(), work)

    def look(self) -> None:
        """Save what changed since the last look."""
        work = self._work
        if work is not None and work.drawn and not self.busy:
            store = self._store
            self._do(work, lambda: save_changes(store(), work), self._on_looked)

    def save_version(self, state: ReviewState | None = None, note: str = "", author: str = "") -> None:
        """Put the labels into the store as a version, and set the review state."""
        work = self._work
        if work is None:
            return
        view, seconds, store = LayerView.of(work.layer), round(work.seconds, 1), self._store
        self._do(
            work,
            lambda: write_version(store(), work, view, state, author=author, seconds=seconds, note=note),
            self._on_written,
            must=True,
        )

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

    def _on_found(self, work: Work, found: tuple[Offer | None, ReviewState]) -> None:
        offer, state = found
        if work is not self._work:
            return  # it is of a scan that was left since
        self.reviewed.emit(state)
        if offer is not None and not work.drawn:
            self.offered.emit(offer)

    def _on_looked(self, work: Work, changed: int) -> None:
        if work is self._work:
            self.safe.emit()

    def _on_written(self, work: Work, version: Version) -> None:
        self.saved.emit(version, work.layer)

    def _do(
        self,
        work: Work,
        do: Callable[[], Any],
        then: Callable[[Work, Any], None] = lambda work, result: None,
        must: bool = False,
    ) -> None:
        self._turns.add(Task(work, do, then, must))
