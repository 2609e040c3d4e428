"""Which scans a batch is about: a list in a file, a pattern, or names."""

from __future__ import annotations

import csv
import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_spineseg.cli.console import show
from napari_spineseg.cli.run import Reading
from napari_spineseg.errors import SettingsError

# What may stand between the columns: spreadsheets of many countries write a .csv file with semicolons.
_LISTS = {".csv": ",;", ".tsv": "\t", ".txt": ""}
_KNOWN = ("scan", "name", "volume", "series")
# Marks of a pattern; a file may have them in its name all the same.
_MARKS = frozenset("*?[")


@dataclass(frozen=True)
class Entry:
    """One scan of a batch.

    Attributes
    ----------
    scan
        File or DICOM folder.
    name
        What its results are to be called; None for the scan's own stem.
    reading
        Which volume or series of it is meant.
    columns
        Whatever else the list says of it, carried into the batch's table.
    """

    scan: Path
    name: str | None = None
    reading: Reading = field(default_factory=Reading)
    columns: dict[str, str] = field(default_factory=dict)


def entries_of(words: Sequence[str]) -> list[Entry]:
    """The scans that the words of a call stand for, each once, in order.

    A `.csv`, `.tsv` or `.txt` file is a list; what is there by that name is a scan; anything else is a
    pattern, in which `**` stands for folders in folders.

    Raises
    ------
    SettingsError
        If a list cannot be read or is empty, or a pattern fits nothing.
    """
    found: dict[tuple, Entry] = {}
    for word in words:
        for entry in _entries(word):
            found.setdefault((entry.scan, entry.name, entry.reading), entry)
    return list(found.values())


def _entries(word: str) -> list[Entry]:
    path = Path(word)
    if path.suffix.lower() in _LISTS and path.is_file():
        return read_list(path)
    if path.exists() or not _MARKS & set(word):
        return [Entry(path)]
    if places := sorted(glob.glob(word, recursive=True)):
        return [Entry(Path(place)) for place in places]
    raise SettingsError(f"Nothing fits the pattern {word}.")


def read_list(path: Path) -> list[Entry]:
    """The scans of a list.

    A `.txt` file names one a line; empty lines and those that start with # say nothing. A `.csv` or `.tsv`
    file has a column `scan`, and may have `name`, `volume`, `series` and others; a `.csv` file may have
    semicolons in place of commas. Paths are taken from the list's own folder.

    Raises
    ------
    SettingsError
        If it is no text, names no scan, or says something impossible.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{show(path)} cannot be read as a list of scans: {error}.") from None
    separators = _LISTS[path.suffix.lower()]
    entries = _table(path, text, separators) if separators else _plain(path, text)
    if not entries:
        raise SettingsError(f"{show(path)} names no scan.")
    return entries


def _plain(path: Path, text: str) -> list[Entry]:
    lines = (line.strip() for line in text.splitlines())
    return [Entry(path.parent / line) for line in lines if line and not line.startswith("#")]


def _table(path: Path, text: str, separators: str) -> list[Entry]:
    lines = text.splitlines()
    separator = max(separators, key="".join(lines[:1]).count)
    rows = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
    heads = [head.strip() for head in rows.fieldnames or ()]
    if "scan" not in heads:
        raise SettingsError(
            f"{show(path)} has no column `scan`; its columns are {', '.join(heads) or 'none'}."
        )
    rows.fieldnames = heads
    entries = []
    for row in rows:
        cells = {head: (row.get(head) or "").strip() for head in heads}
        if cells["scan"]:
            entries.append(_entry(path, rows.line_num, cells))
    return entries


def _entry(path: Path, line: int, cells: dict[str, str]) -> Entry:
    volume, name = cells.get("volume", ""), cells.get("name", "")
    if volume and not volume.isdecimal():
        raise SettingsError(f"{show(path)}, line {line}: volume {volume!r} is no number counted from 0.")
    if name and (name != Path(name).name or name.startswith(".")):
        raise SettingsError(f"{show(path)}, line {line}: {name!r} cannot be the name of a file.")
    reading = Reading(int(volume) if volume else None, cells.get("series") or None)
    columns = {head: cell for head, cell in cells.items() if head not in _KNOWN}
    return Entry(path.parent / cells["scan"], name or None, reading, columns)
