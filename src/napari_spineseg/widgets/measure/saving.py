"""The files that figures become: a table, everything in JSON, a report; where they go, what they replace."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_spineseg.errors import OutputError, ScanError
from napari_spineseg.files import write_whole
from napari_spineseg.io import checksums_of
from napari_spineseg.measurement.record import record_of
from napari_spineseg.measurement.table import csv_text
from napari_spineseg.widgets.measure.work import Result

if TYPE_CHECKING:
    from napari_spineseg.progress import Control

# What file systems somewhere do not take in a name; a layer may be called anything.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


@dataclass(frozen=True)
class FigureFiles:
    """Files of one segmentation's figures; `report` is None where none is wanted."""

    table: Path
    record: Path
    report: Path | None

    @classmethod
    def of(cls, folder: Path, name: str, report: bool) -> FigureFiles:
        """`<name>_measures.csv` and `.json`, `<name>_report.html`, as the command calls them."""
        stem = _NOT_IN_NAMES.sub("_", name).strip(" .").removesuffix("_seg") or "spine"
        page = folder / f"{stem}_report.html" if report else None
        return cls(folder / f"{stem}_measures.csv", folder / f"{stem}_measures.json", page)

    @property
    def all(self) -> list[Path]:
        """Those that are written."""
        return [path for path in (self.table, self.record, self.report) if path is not None]

    @property
    def there(self) -> list[Path]:
        """Those that exist and would be replaced."""
        return [path for path in self.all if os.path.lexists(path)]


def suggested_folder(source: str | None) -> Path:
    """The folder of the scan; the home folder for one from nowhere."""
    # Absolute: nobody knows which folder napari was started in.
    return Path(source).absolute().parent if source is not None and Path(source).exists() else Path.home()


def check_folder(text: str) -> Path:
    """The folder that a person typed, if there is one.

    Raises
    ------
    OutputError
        If it names none, or something else.
    """
    folder = Path(text.strip()).expanduser()
    if not text.strip():
        raise OutputError("Name a folder to save to.")
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file." if folder.exists() else f"There is no folder {folder}.")
    return folder


def write_figures(result: Result, files: FigureFiles, control: Control) -> FigureFiles:
    """Write a result's files, each of them whole or not at all.

    Raises
    ------
    OutputError
        If the disk refuses.
    """
    control.check()
    settings = result.settings.model_copy(update={"report": files.report is not None})
    record = record_of(result.measurements, result.segmentation, result.scan, settings, _files_of(result))
    contents: list[tuple[Path, Callable[[], str]]] = [
        (files.table, lambda: csv_text(result.measurements)),
        (files.record, lambda: json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"),
    ]
    if files.report is not None:
        contents.append((files.report, lambda: _report(result, record)))
    for done, (path, text) in enumerate(contents):
        control.step("Saving", done, len(contents))
        try:
            write_whole(path, text())
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    return files


def _report(result: Result, record: Mapping[str, Any]) -> str:
    from napari_spineseg.measurement.report import report_html

    return report_html(result.measurements, result.segmentation, result.scan, record)


def _files_of(result: Result) -> dict[str, dict[str, Any]]:
    """What is known of the scan's file. The labels are those of the window, whatever they were read from."""
    source = result.scan.source if result.scan is not None else None
    if source is None:
        return {}
    known = {"path": str(source)}
    with suppress(ScanError):  # it may have been moved since; its name still says something
        known |= checksums_of(source)
    return {"scan": known}
