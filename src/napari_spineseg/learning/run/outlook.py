"""What would be learnt from, before anything is trained: quick, and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_spineseg.corrections.store import CorrectionsStore, Entry
from napari_spineseg.errors import StoreError


@dataclass(frozen=True)
class CorrectedScan:
    """One scan of the store as the page lists it.

    Attributes
    ----------
    state
        "done" (is learnt from), "in-progress" or "excluded".
    changed_voxels
        How many voxels differ from the prediction; None where it is not known.
    model
        "name@version" of the model that was corrected, "" if it is not known.
    """

    name: str
    sha256: str
    state: str
    versions: int
    changed_voxels: int | None
    model: str
    entry: Entry


@dataclass(frozen=True)
class Outlook:
    """The store as learning sees it.

    Attributes
    ----------
    scans
        Every scan, those that are learnt from first.
    ready
        Whether there is anything to learn from.
    sentence
        In words: what would be trained, or what to do first.
    """

    scans: tuple[CorrectedScan, ...]
    ready: bool
    sentence: str


def outlook(corrections: Path) -> Outlook:
    """Look at a store. One that is not there counts as empty."""
    try:
        entries = CorrectionsStore(corrections).entries()
    except StoreError:
        entries = []
    scans = sorted((_described(entry) for entry in entries), key=lambda s: (s.state != "done", s.name))
    done = sum(s.state == "done" and s.versions > 0 for s in scans)
    return Outlook(tuple(scans), done > 0, _sentence(done, len(scans)))


def _sentence(done: int, there: int) -> str:
    if done:
        waiting = f" ({there - done} more not marked as done)" if there > done else ""
        return f"{done} corrected scan{'s' if done > 1 else ''} to learn from{waiting}."
    if there:
        return (
            "No correction is marked as done yet: on the Correct page choose Done under Review and save a "
            "version, or use `spineseg corrections add`."
        )
    return (
        "Nothing was corrected yet: segment a scan, correct it, and save it as Done (Correct page, Review)."
    )


def _described(entry: Entry) -> CorrectedScan:
    latest = entry.latest
    try:
        changed = (latest.about.get("changed") or {}).get("voxels") if latest else None
        model = "@".join(str(entry.model[k]) for k in ("name", "version") if k in entry.model)
    except StoreError:
        changed, model = None, ""
    return CorrectedScan(
        entry.name, entry.identity.sha256, entry.state, len(entry.versions), changed, model, entry
    )
