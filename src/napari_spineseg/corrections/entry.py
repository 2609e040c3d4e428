"""One scan in the store: its predictions, its versions, what was said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from napari_spineseg import io
from napari_spineseg.anatomy import Numbering, levels_to_structures
from napari_spineseg.corrections.edit import used_box
from napari_spineseg.corrections.files import (
    append_line,
    now,
    numbered,
    publish_next,
    read_json,
    read_lines,
    write_json,
)
from napari_spineseg.corrections.identity import ScanIdentity, fit_to
from napari_spineseg.corrections.journal import Journal, left_behind, new_journal
from napari_spineseg.errors import SpineSegError, StoreError
from napari_spineseg.scan import Scan, Segmentation

ReviewState = Literal["in-progress", "done", "excluded"]
STATES: tuple[ReviewState, ...] = get_args(ReviewState)

SCAN, ABOUT, LABELS = "scan.nii.gz", "scan.json", "labels.nii.gz"
_RECORD = "about.json"


@dataclass(frozen=True)
class Version:
    """Labels that were put into the store, and are never changed again.

    A prediction and a person's version are kept the same way.
    """

    folder: Path

    @property
    def number(self) -> int:
        """1 for the first."""
        return int(self.folder.name)

    @property
    def labels_path(self) -> Path:
        """NIfTI on the scan's own grid, uint16."""
        return self.folder / LABELS

    @cached_property
    def about(self) -> dict[str, Any]:
        """What is known of it: created, author, seconds, note, model, parent, changed ..."""
        return read_json(self.folder / _RECORD)

    @property
    def model(self) -> Mapping[str, Any]:
        """The model it came from: name, version, sha256; empty if it is not known."""
        return self.about.get("model") or {}

    def load(self) -> Segmentation:
        """The labels.

        Raises
        ------
        StoreError
            If the file is not the one that was put there.
        """
        if io.sha256_of(self.labels_path) != self.about.get("sha256"):
            raise StoreError(f"{self.labels_path} was changed or damaged after it was saved.")
        return io.read_segmentation(self.labels_path)


class Entry:
    """A scan of the store."""

    def __init__(self, folder: Path) -> None:
        """Open what is in `folder`.

        Raises
        ------
        StoreError
            If it is no entry, or its description is damaged.
        """
        self.folder = folder
        self.identity = ScanIdentity.from_dict(read_json(folder / ABOUT))

    @property
    def name(self) -> str:
        """What the scan was called when it came."""
        return self.identity.name

    @property
    def scan_path(self) -> Path:
        """The store's own copy of the scan, which stays when the original is moved."""
        return self.folder / SCAN

    @property
    def journals(self) -> Path:
        """Where sessions that go on keep what is not in a version yet."""
        return self.folder / "journals"

    @property
    def versions(self) -> list[Version]:
        """What people made of it, oldest first."""
        return [Version(path) for path in numbered(self.folder / "versions")]

    @property
    def latest(self) -> Version | None:
        """The newest version."""
        return (self.versions or [None])[-1]

    @property
    def predictions(self) -> list[Version]:
        """What models said, oldest first."""
        return [Version(path) for path in numbered(self.folder / "predictions")]

    @property
    def prediction(self) -> Version | None:
        """The prediction that the latest version started from, else the newest one."""
        predictions = self.predictions
        wanted = self.latest.about.get("prediction") if self.latest else None
        return next((p for p in predictions if p.number == wanted), (predictions or [None])[-1])

    @property
    def model(self) -> Mapping[str, Any]:
        """The model behind the prediction: name, version, sha256."""
        return self.prediction.model if self.prediction else {}

    @property
    def state(self) -> ReviewState:
        """Where the review is."""
        said = [line["state"] for line in self._review() if line.get("state") in STATES]
        return said[-1] if said else "in-progress"

    @property
    def notes(self) -> list[str]:
        """What was noted of versions and in review, oldest first, each once."""
        said = [(v.about.get("created"), v.about.get("note")) for v in self.versions]
        said += [(line.get("at"), line.get("note")) for line in self._review()]
        ordered = sorted(said, key=lambda one: str(one[0] or ""))
        return list(dict.fromkeys(str(note) for _, note in ordered if note))

    def say(self, state: ReviewState | None = None, note: str = "", author: str = "") -> None:
        """Set the review state, add a note, or both. Earlier ones stay on record.

        Raises
        ------
        StoreError
            If there is no such state, or the disk refuses.
        """
        if state is not None and state not in STATES:
            raise StoreError(f"{state!r} is no review state; choose one of {', '.join(STATES)}.")
        said = {"at": now(), "state": state, "note": note, "author": author}
        try:
            append_line({key: value for key, value in said.items() if value}, self.folder / "review.jsonl")
        except OSError as error:
            raise StoreError(f"{self.folder}: cannot be written ({error.strerror or error}).") from error

    def load_scan(self) -> Scan:
        """The scan, from the store's copy."""
        return io.read_scan(self.scan_path)

    def changed(self, levels: bool = False) -> np.ndarray:
        """Where the latest version differs from the prediction it started from, (i, j, k) bool.

        Parameters
        ----------
        levels
            Whether another level of the same structure counts as a change. Networks learn structures,
            so by default it does not.

        Raises
        ------
        StoreError
            If there is no version yet. Without a prediction everything counts as changed.
        """
        if self.latest is None:
            raise StoreError(f"{self.name}: nothing was corrected yet.")
        if self.prediction is None:
            return np.ones(self.identity.shape, bool)
        ours, theirs = self.latest.load(), self.prediction.load()
        if levels and ours.scheme == theirs.scheme:
            return ours.labels != theirs.labels
        return structures_of(ours) != structures_of(theirs)

    def add_prediction(self, segmentation: Segmentation, model: Mapping[str, Any] | None = None) -> Version:
        """Keep what a model said. One that is there already is not kept twice.

        Raises
        ------
        StoreError
            If it does not lie on the scan's grid, or the disk refuses.
        """
        segmentation = fit_to(self.identity, segmentation)
        model = dict(model or segmentation.provenance.get("model") or {})
        for known in reversed(self.predictions):
            if known.about.get("model") == model and np.array_equal(known.load().labels, segmentation.labels):
                return known
        about = {"created": now(), "model": model, "warnings": list(segmentation.warnings)}
        return self._publish("predictions", segmentation, about)

    def add_version(
        self,
        segmentation: Segmentation,
        prediction: Version | None = None,
        author: str = "",
        seconds: float | None = None,
        note: str = "",
    ) -> Version:
        """Keep corrected labels as the next version. Nothing that is there is touched.

        Parameters
        ----------
        segmentation
            On the scan's grid (any axis order of it).
        prediction
            What it started from; the newest prediction by default.
        author, seconds, note
            Who, how long it took, and anything else; all optional.

        Raises
        ------
        StoreError
            If it does not lie on the scan's grid, or the disk refuses.
        """
        segmentation = fit_to(self.identity, segmentation)
        prediction = prediction or self.prediction
        parent = self.latest
        about = {
            "created": now(),
            "author": author,
            "seconds": seconds,
            "note": note,
            "parent": parent.number if parent else None,
            "prediction": prediction.number if prediction else None,
            "model": dict(prediction.model) if prediction else {},
            "changed": _changed_region(segmentation, prediction),
        }
        return self._publish("versions", segmentation, about)

    def start_journal(self, labels: np.ndarray, about: Mapping[str, Any], carried: int = 0) -> Journal:
        """A journal for a session that starts from `labels`; see `Journal` for the parameters."""
        parent = self.latest
        said = {**about, "parent": parent.number if parent else None}
        return new_journal(self.journals, labels, said, carried)

    def unfinished(self) -> list[Path]:
        """Journals that a crash left behind, latest first."""
        return left_behind(self.journals)

    def _publish(self, kind: str, segmentation: Segmentation, about: Mapping[str, Any]) -> Version:
        def fill(folder: Path, number: int) -> None:
            io.write_segmentation(segmentation, folder / LABELS)
            numbering = {"lumbar": segmentation.numbering.lumbar, "thoracic": segmentation.numbering.thoracic}
            said = {"number": number, "scheme": segmentation.scheme, "numbering": numbering, **about}
            write_json({**said, "sha256": io.sha256_of(folder / LABELS)}, folder / _RECORD)

        try:
            return Version(publish_next(self.folder / kind, fill))
        except StoreError:
            raise
        except SpineSegError as error:
            raise StoreError(str(error)) from error

    def _review(self) -> list[dict[str, Any]]:
        return read_lines(self.folder / "review.jsonl")


def structures_of(segmentation: Segmentation) -> np.ndarray:
    """Labels in the `structures` scheme, uint8."""
    if segmentation.scheme == "structures":
        return segmentation.labels.astype(np.uint8)
    return levels_to_structures(segmentation.labels)


def numbering_from(about: Mapping[str, Any]) -> Numbering:
    """The numbering that a record or journal speaks of."""
    said = about.get("numbering") or {}
    return Numbering(int(said.get("lumbar", 5)), int(said.get("thoracic", 12)))


def _changed_region(segmentation: Segmentation, prediction: Version | None) -> dict[str, Any] | None:
    """How many voxels differ from the prediction, and the box around them; None without one."""
    if prediction is None:
        return None
    different = structures_of(segmentation) != structures_of(prediction.load())
    box = used_box(different)
    corners = None if box is None else [[span.start, span.stop] for span in box]
    return {"voxels": int(np.count_nonzero(different)), "box": corners}
