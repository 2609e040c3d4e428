"""What text headers (MetaImage, NRRD) have in common: lines before bytes, and data files beside."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

import numpy as np

from napari_spineseg.io.guard import open_file, refuse, status

MAX_WRITTEN_OUT = 2**24
"""Voxels of a file that holds them as text. Nobody keeps larger scans that way."""

_MAX_LINE = 1 << 16
_MAX_LINES = 4096
_PATTERN = re.compile(r"%|[*?\[\]]|\bLIST\b", re.IGNORECASE)


def read_header_lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """Lines of a text header, until the caller has what it wants or the limit is reached."""
    for _ in range(_MAX_LINES):
        line = file.readline(_MAX_LINE)
        if not line:
            return
        if not line.endswith(b"\n") and len(line) == _MAX_LINE:
            break
        yield line.rstrip(b"\r\n").decode("latin-1")
    refuse(path, "has a header that does not end; export it again")


def numbers(path: Path, keys: dict[str, str], key: str, default: list[float] | None = None) -> list[float]:
    """The numbers of a header line; `default` (or nothing) where there is no such line."""
    if key not in keys:
        return default if default is not None else []
    try:
        return [float(word) for word in keys[key].replace(",", " ").split()]
    except ValueError as error:
        refuse(path, f"has a damaged header ({key} = {keys[key][:40]}); export it again", error)


def read_numbers(data: BinaryIO, count: int, path: Path) -> np.ndarray:
    """`count` voxels that are written out as decimal numbers, float64.

    Raises
    ------
    ScanError
        If there are fewer, something else is among them, or they are too many to read as text.
    """
    if count > MAX_WRITTEN_OUT:
        refuse(path, "writes out more voxels as text than SpineSeg reads; save it compressed")
    # No number needs more than 32 characters, so this bounds what is read.
    text = data.read(32 * count).replace(b",", b" ")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            values = np.fromstring(text.decode("ascii"), float, sep=" ")
        except (ValueError, DeprecationWarning) as error:
            refuse(path, "has voxels that are not numbers; export it again", error)
    if len(values) < count:
        refuse(path, f"is cut short: it promises {count} voxels and holds {len(values)}")
    return values[:count]


def data_file_beside(path: Path, name: str) -> BinaryIO:
    """Open the data file that a header names, which must lie in the header's own folder.

    A header is not trusted to point anywhere else: not by an absolute path, not by "..", not by
    a pattern or list, and not through a link that leaves the folder.
    """
    # Headers are read byte for byte; a file's name is in whatever the disk's names are in, UTF-8 mostly.
    content = name.encode("latin-1")
    name, said = os.fsdecode(content), content.decode("utf-8", "backslashreplace")[:80]
    if not name or _PATTERN.search(name):
        refuse(path, f"keeps its voxels in several files ({said or 'none'}); save it as one file first")
    if _leaves_folder(name):
        refuse(path, f"names a data file outside its own folder ({said}); put both in one folder")
    target = path.parent / name
    # `realpath` because `Path.resolve` fails on links that run in a circle.
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(path.parent)):
        refuse(path, f"names a data file outside its own folder ({said}); put both in one folder")
    if not target.exists():
        refuse(path, f"needs its data file {said} beside it; copy that too")
    status(target)
    if target.samefile(path):
        refuse(path, "names itself as its data file; export it again")
    return open_file(target)


def _leaves_folder(name: str) -> bool:
    for kind in (PurePosixPath, PureWindowsPath):
        pure = kind(name)
        if pure.is_absolute() or pure.drive or ".." in pure.parts:
            return True
    return name.startswith("~") or "\0" in name
