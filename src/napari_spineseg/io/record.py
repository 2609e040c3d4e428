"""What lies beside labels that a model made: which one it was, how levels are counted, what to doubt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_spineseg.anatomy import structure_of
from napari_spineseg.errors import OutputError, ScanError
from napari_spineseg.files import write_whole
from napari_spineseg.io.guard import open_file, shown
from napari_spineseg.io.identity import stem_of
from napari_spineseg.scan import Segmentation
from napari_spineseg.strict_json import strict

# No record is longer; what is, is something else.
_LONGEST = 1 << 24
# Said of the run and its files; the rest is provenance.
_NOT_PROVENANCE = {"input", "summary", "structures", "warnings"}
CHANGED = "labels_changed_since"
"""In the provenance of labels: whether they are no longer what was segmented."""
DRAWN_ON = "drawn_on"
"""In what is known of labels: the scan that they were made from, its name, source, sha256 and steps."""


class _Loose(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class _Counted(_Loose):
    label: int
    voxels: int


class _Numbered(_Loose):
    lumbar: int = Field(ge=3, le=7)
    thoracic: int = Field(ge=10, le=14)


class _Model(_Loose):
    name: str = Field(min_length=1)
    version: str
    sha256: str


class _Source(_Loose):
    path: str
    sha256: str = ""


class _Checksum(_Loose):
    sha256: str
    shape: list[int]


class _Settings(_Loose):
    scheme: str = "levels"


class Record(_Loose):
    """A record, as far as others than its writer need it."""

    model: _Model
    structures: list[_Counted]
    labels: _Checksum | None = None
    numbering: _Numbered | None = None
    input: _Source | None = None
    settings: _Settings = _Settings()
    warnings: list[str] = []

    def fits(self, segmentation: Segmentation) -> bool:
        """Whether `segmentation` is what was written then, voxel for voxel: nobody changed it since.

        Records of earlier versions have no checksum; of them only the voxels of each label are counted.
        """
        if self.labels is not None:
            return is_as_written(segmentation, self.labels.model_dump())
        return {each.label: each.voxels for each in self.structures} == segmentation.found()

    @property
    def scan(self) -> dict[str, Any]:
        """What a layer keeps of the scan that was segmented; empty where the record names none."""
        if self.input is None:
            return {}
        steps = (self.model_extra or {}).get("history")
        return {
            "name": stem_of(Path(self.input.path)),
            "source": self.input.path,
            "sha256": self.input.sha256,
            "steps": len(steps) if isinstance(steps, list) else 0,
        }

    def change(self, place: Path) -> str:
        """What to say where they do not fit; `place` is the record's file."""
        by = f"{self.model.name} {self.model.version}"
        return f"These labels were changed since they were segmented (by {by}, as {shown(place)} tells)."

    @property
    def provenance(self) -> dict[str, Any]:
        """How the labels were made. JSON-able."""
        return self.model_dump(mode="json", exclude=_NOT_PROVENANCE, exclude_unset=True)


def is_as_written(segmentation: Segmentation, checksum: Mapping[str, Any]) -> bool:
    """Whether the labels are those of a checksum that was kept."""
    now = segmentation.checksum()
    return all(now[key] == checksum.get(key) for key in ("sha256", "shape"))


def place_of_record(labels: Path) -> Path:
    """Where the record of a label file is: `x_seg.json` beside `x_seg.nii.gz`."""
    return labels.with_name(f"{stem_of(labels)}.json")


def read_record(place: Path) -> Record | None:
    """The record in the file `place`; None if there is none, or it is no record."""
    try:
        with open_file(place) as file:
            return Record.model_validate(json.loads(file.read(_LONGEST)))
    except (ScanError, OSError, ValidationError, ValueError, RecursionError):
        return None


def recalled(known: dict[str, Any], labels: Path, segmentation: Segmentation) -> dict[str, Any]:
    """A layer's metadata `known`, with what the record beside its file `labels` says.

    Labels that were drawn on after the model had ended are not what it said: of their record it is only said
    that they were, and which scan they were drawn on.
    """
    place = place_of_record(labels)
    record = read_record(place)
    if record is None:
        return known
    if record.scan:
        known = {**known, DRAWN_ON: record.scan}
    if not record.fits(segmentation):
        return {
            **known,
            "provenance": {**known.get("provenance", {}), CHANGED: True},
            "warnings": (*known.get("warnings", ()), record.change(place)),
        }
    return {
        **known,
        "provenance": {**record.provenance, **known.get("provenance", {})},
        "warnings": tuple(dict.fromkeys((*known.get("warnings", ()), *record.warnings))),
    }


def structures_of(segmentation: Segmentation) -> list[dict[str, Any]]:
    """Each label that is there: its number, name, structure, voxels and millilitres."""
    names, millilitres = segmentation.names(), segmentation.grid.voxel_ml
    return [
        {
            "label": label,
            "name": names[label],
            "structure": structure_of(label, segmentation.scheme).title,
            "voxels": voxels,
            "ml": round(voxels * millilitres, 4),
        }
        for label, voxels in segmentation.found().items()
    ]


def names_a_model(provenance: Mapping[str, Any]) -> bool:
    """Whether it is known which model made labels: without that there is nothing to keep a record of."""
    return {"name", "version", "sha256"} <= set(provenance.get("model") or {})


def write_record(record: Mapping[str, Any], place: Path) -> None:
    """Write a record as strict JSON, whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    try:
        write_whole(place, json.dumps(strict(record), indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise OutputError(f"{shown(place)} cannot be written: {error.strerror or error}.") from error
