"""What labels say of the scan that they were drawn on: in their record, else by the name of their file."""

from __future__ import annotations

import json
import os
import re
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.layers import Image, Labels, Layer

from napari_spineseg.io.identity import stem_of
from napari_spineseg.io.record import DRAWN_ON
from napari_spineseg.widgets.known import about, file_of

# What programs and people add to a scan's name to name its labels; napari numbers layers of one name.
_LABELS_ENDING = re.compile(
    r"([_\-. ]+(seg|segmentation|labels?|levels?|masks?|structures|dseg|corrected|copy))*( \[\d+\])?",
    re.IGNORECASE,
)


Sha256Of = Callable[[Image], str | None]
"""The checksum of a scan's file; None while it is being read, empty where it cannot be."""


def key_of(scan: Image) -> object:
    """What a scan is known again by when its file is opened anew; a scan from nowhere is only itself."""
    source = about(scan).get("source")
    if not source:
        return weakref.ref(scan)
    return os.path.realpath(source), about(scan).get("name", ""), _steps_of(scan)


def _steps_of(scan: Image) -> tuple[str, ...]:
    """What was done to a scan: results of two recipes are two scans, though both are called `scan_prep`."""
    return tuple(
        json.dumps([entry.get("step"), entry.get("settings")], sort_keys=True, default=str)
        for entry in about(scan).get("history", ())
    )


def only(scans: Sequence[Image]) -> Image | None:
    """The one scan among `scans`, if there are not several; a file that was opened twice is one."""
    return scans[-1] if len({key_of(scan) for scan in scans}) == 1 else None


def description_of(scan: Image) -> dict[str, Any]:
    """What labels keep of the scan that they were drawn on. JSON-able."""
    known = about(scan)
    return {"name": scan.name, "source": known.get("source"), "steps": len(known.get("history", ()))}


def record_names(labels: Labels) -> str:
    """The name of the scan that labels say they were drawn on; empty where they say nothing."""
    return str(_record(labels).get("name") or "")


def named_by(labels: Labels, fitting: Sequence[Image], sha256_of: Sha256Of) -> Image | None:
    """The scan among `fitting`, all on the grid of `labels`, that these say they were drawn on."""
    record = _record(labels)
    return only(_of_record(record, fitting, sha256_of)) if record else only(_of_file_name(labels, fitting))


def may_be_a_namesake(labels: Labels, scan: Image) -> bool:
    """Whether nothing but the name says that `labels` are those of `scan`: every patient may have a `t2`."""
    record, source = _record(labels), file_of(scan)
    if not record:
        folders = {Path(path).absolute().parent for path in (file_of(labels), source) if path}
        return len(folders) > 1
    if source and record.get("source") and os.path.realpath(source) == os.path.realpath(record["source"]):
        return False
    return not record.get("sha256")  # by which it was found then


def _record(labels: Labels) -> dict[str, Any]:
    record = about(labels).get(DRAWN_ON)
    return record if isinstance(record, dict) else {}


def _of_record(record: dict[str, Any], fitting: Sequence[Image], sha256_of: Sha256Of) -> list[Image]:
    """By the file, wherever it has gone; by the name where nothing else is known."""
    steps = int(record.get("steps") or 0)
    alike = [scan for scan in fitting if len(about(scan).get("history", ())) == steps]
    source = record.get("source")
    if source:
        path = os.path.realpath(source)
        same = [scan for scan in alike if file_of(scan) and os.path.realpath(file_of(scan)) == path]
        if len(same) > 1:  # several volumes of one file
            same = [scan for scan in same if about(scan).get("name") == record.get("name")] or same
        if same:
            return same
    if record.get("sha256"):
        # Asked for only where a file has another path than labels say.
        found = {scan: sha256_of(scan) for scan in alike}
        if None in found.values():
            return []  # another may turn out to be the same
        return [scan for scan, sha256 in found.items() if sha256 == record["sha256"]]
    return [scan for scan in alike if _name(scan) == record.get("name")]


def _of_file_name(labels: Labels, fitting: Sequence[Image]) -> list[Image]:
    """`a_seg` was drawn on `a`; where two scans are called so, on the one in the same folder."""
    name = _name(labels)
    called = [
        s for s in fitting if name.startswith(_name(s)) and _LABELS_ENDING.fullmatch(name[len(_name(s)) :])
    ]
    longest = max((len(_name(scan)) for scan in called), default=0)
    called = [scan for scan in called if len(_name(scan)) == longest]
    return [s for s in called if not may_be_a_namesake(labels, s)] if only(called) is None else called


def _name(layer: Layer) -> str:
    """The name of its file, which a person who renames the layer does not change."""
    path = layer.source.path
    return str(about(layer).get("name") or (stem_of(Path(path)) if path else layer.name))
