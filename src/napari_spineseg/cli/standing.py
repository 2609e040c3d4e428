"""Whether a scan of a batch is done already, and with the model and settings that are asked for now."""

from __future__ import annotations

import json
from typing import Any

from napari_spineseg import io
from napari_spineseg.cli.console import show
from napari_spineseg.cli.outputs import Outputs
from napari_spineseg.cli.run import Outcome, failed
from napari_spineseg.cli.segment import SegmentRun
from napari_spineseg.errors import SettingsError, SpineSegError
from napari_spineseg.io.companion import changed_at
from napari_spineseg.io.record import read_record
from napari_spineseg.strict_json import strict

# Where a network runs does not change what it finds; which one it is, its sha256 says.
_NO_MATTER = {"device", "model"}
DONE_BEFORE = "done before."
_HOW = " (--overwrite replaces it)."
_ELSE = "; name another folder with --output, or do all of it again with --overwrite."


def standing(job: Outputs, run: SegmentRun, model: str) -> Outcome | None:
    """What to say of a scan that is not to be done: None if it is.

    A result is kept where its record tells of the same scan, unchanged, and of the model (by its sha256)
    and settings asked for.

    Raises
    ------
    SettingsError
        If it was made by another model or with other settings: a folder must not mix two ways of segmenting.
    """
    if run.overwrite or not (there := job.existing(*run.more_files(job))):
        return None
    record = _record(job)
    if record is None:
        return failed(job, f"{show(there)} is there, but not the record of how it was made{_HOW}")
    if (record.get("model") or {}).get("sha256") != model:
        raise SettingsError(f"{show(there)} was made by another model, {_model_of(record)}{_ELSE}")
    if differing := _differing(record.get("settings") or {}, run):
        raise SettingsError(f"{show(there)} was made with another setting of {differing}{_ELSE}")
    if other := _made_from(job, run, record.get("input") or {}):
        return failed(job, f"{show(there)} was made from {other}{_HOW}")
    # The words and the warnings are those of then.
    record |= {"status": "skipped", "output": job.main}
    if not (changed := _changed_since(job)):
        return Outcome("skipped", DONE_BEFORE, record)
    record["warnings"] = [*(record.get("warnings") or ()), changed]
    return Outcome("skipped", f"{DONE_BEFORE} {changed}", record)


def _record(job: Outputs) -> dict[str, Any] | None:
    if not job.main.is_file():
        return None
    try:
        record = json.loads(job.record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _changed_since(job: Outputs) -> str:
    """What to say of labels that somebody changed since; "" if nobody did.

    They are only read where their file is later than its record, which is written after them.
    """
    try:
        if job.main.stat().st_mtime <= job.record.stat().st_mtime:
            return ""
        record = read_record(job.record)
        same = record is None or record.fits(io.read_segmentation(job.main))
    except (OSError, SpineSegError) as error:
        return f"Its labels cannot be read any more: {error}"
    return "" if same or record is None else record.change(job.record)


def _model_of(record: dict[str, Any]) -> str:
    model = record.get("model") or {}
    return f"{model.get('name', '?')}@{model.get('version', '?')}"


def _differing(then: dict[str, Any], run: SegmentRun) -> str | None:
    now = run.settings.model_dump(mode="json")
    return next((name for name in now if name not in _NO_MATTER and then.get(name) != now[name]), None)


def _made_from(job: Outputs, run: SegmentRun, then: dict[str, Any]) -> str | None:
    """What else the result was made from, in words; None if it was this scan as it is, wherever it lay then.

    A scan is only read again where it has moved, or its time says that it was written to since.
    """
    picked = run.read.picked()
    if name := next((name for name in ("volume", "series") if then.get(name) != picked.get(name)), None):
        return f"another {name} of it"
    moved = then.get("path") != strict(job.scan.absolute())
    try:
        if not moved and job.scan.is_file() and changed_at(job.scan) <= job.record.stat().st_mtime:
            return None
        now = io.checksums_of(job.scan)
        if now == {name: then[name] for name in ("sha256", "data_sha256") if name in then}:
            return None
    except (OSError, SpineSegError):
        # A scan that is gone by now was there when its result was made.
        return f"another scan, {then.get('path')}" if moved else None
    return f"another scan, {then.get('path')}" if moved else "the scan as it was before it was changed"
