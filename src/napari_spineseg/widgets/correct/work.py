"""What the corrections store does for one segmentation layer: find, begin, save, leave.

Nothing here touches Qt, so that all of it runs beside the window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from napari.layers import Labels

from napari_spineseg.corrections.autosave import Autosave
from napari_spineseg.corrections.edit import Edit, edit_to
from napari_spineseg.corrections.entry import ReviewState, numbering_from
from napari_spineseg.corrections.journal import Journal, Recovered, count_unsaved, discard, read_journal
from napari_spineseg.corrections.store import CorrectionsStore, Entry, Version
from napari_spineseg.errors import StoreError
from napari_spineseg.io.layers import LayerView, scan_from, segmentation_from
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.widgets.known import about


@dataclass
class Work:
    """One segmentation layer that is being corrected."""

    layer: Labels
    scan: LayerView
    first: np.ndarray | None
    """The labels as they came, before anybody drew: what the model said. None once they are in the store."""
    start: np.ndarray | None
    """The labels as they were when the page began to keep them. None once they are in the journal."""
    key: object = None
    """Which scan it is, as `naming.key_of` tells."""
    entry: Entry | None = None
    prediction: Version | None = None
    journal: Journal | None = None
    autosave: Autosave | None = None
    carried: int = 0
    old_journals: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    last_paint: float = 0.0
    drawn: bool = False
    left: np.ndarray | None = None
    """The labels as they were when the page went over to others; None until then."""
    closed: bool = False
    lock: Lock = field(default_factory=Lock)
    """Held by whoever touches the store for this layer."""

    @property
    def labels(self) -> np.ndarray:
        """What is to be kept."""
        return self.layer.data if self.left is None else self.left


@dataclass(frozen=True)
class Offer:
    """Labels of this scan that the store holds and the window does not show.

    `path` is the journal that a crash left behind; None for the latest version.
    """

    labels: np.ndarray
    about: dict[str, Any]
    words: str
    path: Path | None = None

    def edit(self, shown: np.ndarray) -> Edit:
        """What brings these labels onto a layer that shows others, of the same shape."""
        whole = tuple(slice(0, n) for n in shown.shape)
        words = "Brought back what was drawn." if self.path is not None else "Opened the last version."
        return edit_to(shown, self.labels.astype(shown.dtype), whole, words)


def find_offer(store: Path, work: Work) -> Offer | None:
    """What the store holds of this scan that is not what the layer shows."""
    try:
        kept = CorrectionsStore(store)
    except StoreError:
        return None  # there is none yet
    entry = kept.find(_scan(work))
    if entry is None:
        return None
    work.entry = entry
    scheme = _scheme(about(work.layer))
    for path in entry.unfinished():
        found = read_journal(path)
        if _scheme(found.about) != scheme:
            continue  # its numbers mean something else: 1 may be L5, or any vertebra
        if np.array_equal(found.labels, work.start):
            # It is on the layer already: this session goes on with it.
            work.carried, work.drawn = max(work.carried, found.unsaved), True
            work.old_journals.append(path)
        elif found.labels.shape == work.start.shape:
            return Offer(found.labels, dict(found.about), _restore_words(found), path)
    latest = next((v for v in reversed(entry.versions) if _scheme(v.about) == scheme), None)
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


def state_of(work: Work) -> ReviewState:
    """Where the review of the scan is; in progress for one that the store does not have yet."""
    return work.entry.state if work.entry is not None else "in-progress"


def begin(store: Path, work: Work) -> None:
    """Make the entry, keep the prediction, begin the journal: once, when there is something to keep."""
    if work.autosave is not None:
        return
    if work.entry is None:
        work.entry = CorrectionsStore(store, create=True).add(_scan(work))
    known = about(work.layer)
    model = (known.get("provenance") or {}).get("model")
    view = LayerView.of(work.layer)
    if model and work.prediction is None:
        predicted = _segmentation(work, replace(view, data=work.first))
        work.prediction = work.entry.add_prediction(predicted, model)
    said = {"scheme": _scheme(known), "numbering": _numbering(work.layer)}
    work.journal = work.entry.start_journal(work.start, said, work.carried)
    # Handed over, not copied: labels of a large scan are held twice and no more.
    work.autosave = Autosave(work.labels, work.journal, saved=work.start)
    work.first = work.start = None


def save_changes(store: Path, work: Work) -> int:
    """Put what changed since the last look into the journal. Returns how many voxels did."""
    begin(store, work)
    # Somebody may have given the layer another array.
    work.autosave.labels = work.labels
    count = work.autosave.look(numbering=_numbering(work.layer))
    _drop_old(work)
    return count


def write_version(
    store: Path, work: Work, view: LayerView, state: ReviewState | None, **said: Any
) -> Version:
    """Put the labels, which lie as `view` does, into the store as a version, and set the review state.

    `said` is what `Entry.add_version` takes: author, seconds, note.
    """
    begin(store, work)
    work.autosave.labels = work.labels
    labels, changes = work.autosave.settle(numbering=_numbering(work.layer))
    segmentation = _segmentation(work, replace(view, data=labels))
    version = work.entry.add_version(segmentation, work.prediction, **said)
    work.journal.mark_version(version.number, changes)
    if state is not None:
        work.entry.say(state, said.get("note", ""), said.get("author", ""))
    return version


def end_work(store: Path, work: Work) -> None:
    """With `work.lock` held: a last look. The journal goes if a version holds everything."""
    work.closed = True
    if work.drawn or work.journal is not None:
        begin(store, work)
        _leave(work)
    work.left = work.autosave = None  # as large as the labels, and the layer may stay open for long


def _leave(work: Work) -> None:
    work.autosave.labels = work.labels
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


def _segmentation(work: Work, view: LayerView) -> Segmentation:
    """Labels on the grid of their scan. Those of a layer that SpineSeg did not make know no other."""
    return segmentation_from(view, _scan(work) if view.own_grid is None else None)


def _scheme(known: Mapping[str, Any]) -> str:
    return str(known.get("scheme", "levels"))


def _numbering(layer: Labels) -> dict[str, int]:
    numbering = numbering_from(about(layer))
    return {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}


def _restore_words(found: Recovered) -> str:
    changes = "1 change" if found.unsaved == 1 else f"{found.unsaved} changes"
    were = "was" if found.unsaved == 1 else "were"
    return f"{changes} of {_when(found.last)} {were} not saved as a version."


def _when(stamp: str) -> str:
    """A time stamp as a person reads it, in their own time."""
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%d %b %Y, %H:%M")
    except ValueError:
        return "an unknown time"
