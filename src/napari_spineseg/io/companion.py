"""The data file that a MetaImage or NRRD header keeps its voxels in: part of the scan, under another name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from napari_spineseg.io.detached import data_file_beside, read_header_lines
from napari_spineseg.io.guard import open_file

_HEADERS = (".mhd", ".mha", ".nhdr", ".nrrd")


def open_companion(path: Path) -> BinaryIO | None:
    """The data file of the header in `path`; None where `path` holds its voxels itself.

    Raises
    ------
    ScanError
        If it is missing, or outside the header's own folder.
    """
    if path.suffix.lower() not in _HEADERS:
        return None
    with open_file(path) as file:
        lines = read_header_lines(file, path)
        first = next(lines, "")
        named = _of_nrrd(lines) if first.startswith("NRRD") else _of_metaimage(chain([first], lines))
    return data_file_beside(path, named) if named else None


def changed_at(path: Path) -> float:
    """When a scan was last written to, its header or its data file, in seconds since 1970."""
    last = path.stat().st_mtime
    if (data := open_companion(path)) is not None:
        with data:
            last = max(last, os.fstat(data.fileno()).st_mtime)
    return last


def _of_nrrd(lines: Iterator[str]) -> str | None:
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("data file", "datafile"):
            return value.strip()
        if not line:
            break
    return None


def _of_metaimage(lines: Iterable[str]) -> str | None:
    for line in lines:
        name, _, value = line.partition("=" if "=" in line else ":")
        if name.strip() == "ElementDataFile":
            return None if value.strip().upper() == "LOCAL" else value.strip()
    return None
