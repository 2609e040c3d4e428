"""What `spineseg segment` wrote beside its labels: the model, how levels are counted, what to doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_spineseg.errors import ScanError
from napari_spineseg.io.guard import open_file
from napari_spineseg.io.identity import stem_of
from napari_spineseg.scan import Segmentation

# No record is longer; what is, is something else.
_LONGEST = 1 << 24
# Said of the run and its files; the rest is provenance.
_NOT_PROVENANCE = {"input", "summary", "structures", "warnings"}


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


class _Settings(_Loose):
    scheme: str = "levels"


class Record(_Loose):
    """A record, as far as others than its writer need it."""

    model: _Model
    structures: list[_Counted]
    numbering: _Numbered | None = None
    input: _Source | None = None
    settings: _Settings = _Settings()
    warnings: list[str] = []

    def counts(self, segmentation: Segmentation) -> bool:
        """Whether it counts the very voxels of `segmentation`: nobody drew on the labels after the model."""
        return {each.label: each.voxels for each in self.structures} == segmentation.found()

    @property
    def provenance(self) -> dict[str, Any]:
        """How the labels were made. JSON-able."""
        return self.model_dump(mode="json", exclude=_NOT_PROVENANCE, exclude_unset=True)


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

    Labels that were drawn on after the model had ended are not what it said: their record is left alone.
    """
    record = read_record(place_of_record(labels))
    if record is None or not record.counts(segmentation):
        return known
    return {
        **known,
        "provenance": {**record.provenance, **known.get("provenance", {})},
        "warnings": tuple(dict.fromkeys((*known.get("warnings", ()), *record.warnings))),
    }
