"""Finding DICOM files and reading their headers, without trusting lengths that they claim."""

from __future__ import annotations

import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydicom import config
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_partial

from napari_spineseg.errors import ScanError
from napari_spineseg.io.guard import open_file, refuse
from napari_spineseg.io.quiet import quiet
from napari_spineseg.io.sniff import looks_like_dicom

PARSER_ERRORS = (
    InvalidDicomError, BytesLengthException, EOFError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, NotImplementedError, RecursionError, OverflowError, AssertionError, struct.error,
)  # fmt: skip
"""What pydicom raises on damaged headers: they reach into every corner of its parser."""

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_MAX_FILES = 50_000
_MAX_DEPTH = 6
_SECONDS_A_HEADER = 6.0
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_IS_DEFLATED = "is a deflated DICOM file, which SpineSeg does not read; export it uncompressed"


@dataclass
class Header:
    """A DICOM file up to its pixels.

    Attributes
    ----------
    data
        All elements before the pixels; long private ones are left out.
    pixel_tag, pixel_start, pixel_length, pixel_vr
        Where the pixels are; tag 0 means there are none, length 0xFFFFFFFF that they are encapsulated.
    size
        Bytes of the file.
    """

    path: Path
    data: FileDataset
    size: int
    pixel_tag: int = 0
    pixel_start: int = 0
    pixel_length: int = 0

    @property
    def encapsulated(self) -> bool:
        """Whether the pixels are compressed frames."""
        return self.pixel_length == 0xFFFFFFFF

    def text(self, name: str) -> str:
        """An element as text, "" where it is missing or damaged."""
        return text_of(self.data, name)


class _Clamped:
    """A file that never reads beyond its end, however long an element claims to be, nor for ever."""

    def __init__(self, file: BinaryIO, path: Path, size: int) -> None:
        self._file, self._path, self._size = file, path, size
        self._deadline = time.monotonic() + _SECONDS_A_HEADER
        self.name = str(path)

    def read(self, count: int = -1) -> bytes:
        if time.monotonic() > self._deadline:
            refuse(self._path, "has a DICOM header that takes too long to read; export it again")
        if count is None or count < 0:
            # pydicom asks for the rest at once only to inflate it, however much that becomes.
            refuse(self._path, _IS_DEFLATED)
        left = max(0, self._size - self._file.tell())
        return self._file.read(min(count, left))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def read_header(path: Path) -> Header | None:
    """The header of a DICOM file, None if it is something else.

    Raises
    ------
    ScanError
        If it begins as DICOM and cannot be read.
    """
    with open_file(path) as file:
        head = file.read(2048)
        if not looks_like_dicom(head):
            return None
        if _DEFLATED in head:
            refuse(path, _IS_DEFLATED)
        size = file.seek(0, 2)
        file.seek(0)
        clamped = _Clamped(file, path, size)
        found: list[tuple[int, int, int]] = []

        def at_pixels(tag: int, vr: str | None, length: int) -> bool:
            if tag in _PIXEL_TAGS:
                found.append((int(tag), clamped.tell(), length))
            return bool(found)

        with quiet("pydicom"), config.disable_value_validation():
            try:
                data = read_partial(clamped, stop_when=at_pixels, defer_size="2 MB", force=True)
            except PARSER_ERRORS as error:
                refuse(path, "is a damaged DICOM file; export it again", error)
    header = Header(path, data, size)
    if found:
        header.pixel_tag, header.pixel_start, header.pixel_length = found[0]
    return header


def text_of(data: Any, name: str) -> str:
    """An element as text, "" where it is missing or damaged."""
    value = value_of(data, name)
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return "\\".join(str(v) for v in value)
    return str(value).strip()


def numbers_of(data: Any, name: str) -> list[float]:
    """An element as numbers; empty where it is missing or damaged."""
    value = value_of(data, name)
    if value is None or value == "":
        return []
    try:
        values = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
        return [float(v) for v in values]
    except (ValueError, TypeError):
        return []


def whole_of(data: Any, name: str, default: int = 0) -> int:
    """An element as a whole number, `default` where it is missing or damaged."""
    values = numbers_of(data, name)
    return int(values[0]) if values and values[0].is_integer() else default


def meta_of(data: Any, name: str) -> str:
    """An element of the file's own header as text, "" where it is missing or damaged."""
    return text_of(getattr(data, "file_meta", None), name)


def value_of(data: Any, name: str) -> Any:
    """An element's value, None where it is missing or damaged. pydicom converts values on first use."""
    try:
        return getattr(data, name, None)
    except PARSER_ERRORS:
        return None


def files_in(folder: Path, enough: Callable[[], bool]) -> Iterator[Path]:
    """DICOM files of a folder, then those of its subfolders, level by level until there are `enough`.

    A disc has its index (DICOMDIR) above the folders of the images, and reports may lie beside it.
    Pipes, sockets and devices are passed over unopened, as are links to folders (they may loop).

    Raises
    ------
    ScanError
        If it cannot be listed or holds far too many files.
    """
    level, depth, count = [folder], 0, 0
    while level and depth <= _MAX_DEPTH:
        below: list[Path] = []
        for directory in level:
            for entry in _entries(directory):
                count += 1
                if count > _MAX_FILES:
                    refuse(folder, f"holds more than {_MAX_FILES} files; give the folder of one series")
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif _is_candidate(entry):
                    yield Path(entry.path)
        level, depth = ([] if enough() else below), depth + 1


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda e: e.name)
    except OSError as error:
        refuse(directory, f"cannot be listed ({error.strerror}); check its permissions", error)


def _is_candidate(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a plain file that begins as DICOM does."""
    try:
        info = entry.stat()
        if not stat.S_ISREG(info.st_mode) or info.st_size < 16:
            return False
        with open_file(Path(entry.path)) as file:
            return looks_like_dicom(file.read(132))
    except (OSError, ScanError):
        # A broken link or an unreadable stray is no reason to refuse the scan beside it.
        return False
