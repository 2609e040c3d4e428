"""What `spineseg segment` wrote beside its labels: which model made them, and what it said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_spineseg.errors import ScanError
from napari_spineseg.io.guard import open_file
from napari_spineseg.io.identity import stem_of
from napari_spineseg.scan import Segmentation

_LARGEST = 4 << 20
# Said of the run and its file; the rest is provenance.
_NOT_PROVENANCE = ("input", "summary", "structures", "warnings")


def record_beside(path: Path, segmentation: Segmentation) -> dict[str, Any]:
    """The record of the labels in `path`, `<stem>.json` beside it; empty if there is none that is theirs.

    Labels that were drawn on after the model had ended are not what it said: their record no longer counts
    the same voxels, and is left alone.
    """
    beside = path.with_name(f"{stem_of(path)}.json")
    try:
        with open_file(beside) as file:
            known = json.loads(file.read(_LARGEST))
        counted = {int(row["label"]): int(row["voxels"]) for row in known["structures"]}
        model = known["model"]
        same = bool(model["name"]) and counted == segmentation.found()
    except (ScanError, OSError, ValueError, KeyError, TypeError):
        return {}
    return known if same else {}


def recalled(known: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """A layer's metadata `known`, with what `record` says of its labels."""
    if not record:
        return known
    provenance = {key: value for key, value in record.items() if key not in _NOT_PROVENANCE}
    warnings = [w for w in record.get("warnings") or () if isinstance(w, str)]
    return {
        **known,
        "provenance": {**provenance, **known.get("provenance", {})},
        "warnings": tuple(dict.fromkeys((*known.get("warnings", ()), *warnings))),
    }
