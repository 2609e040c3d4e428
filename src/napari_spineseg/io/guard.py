"""What is checked before a byte is believed: that a path is a plain file, and that its size is sane.

Nothing here may block. A pipe, a socket or a device is told apart by its inode, also behind a
link, and is never opened; a header's claim is held against the limits before memory is asked for.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

from napari_spineseg.errors import ScanError

MAX_BYTES = 2**30
"""Bytes of voxels in one volume. With the copies that reading makes, a job stays below 4 GB."""

MAX_VOXELS = 2**27
"""Voxels in one volume: 512 x 512 x 512. The largest whole-spine MR has two thirds of that."""

MAX_FILE_BYTES = 4 * 2**30
"""A file beyond this size is refused unread."""

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def shown(path: Path | str) -> str:
    """A path's last part as it may stand in a message: one line, printable anywhere."""
    name = os.fsencode(Path(path).name or path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in name)


def refuse(path: Path | str, why: str, cause: BaseException | None = None) -> NoReturn:
    """Raise `ScanError` for `path`; `why` is the rest of the sentence, without its full stop."""
    raise ScanError(f"{shown(path)}: {' '.join(why.split())}.") from cause


def status(path: Path) -> os.stat_result:
    """The inode behind `path` and its links, without opening it.

    Raises
    ------
    ScanError
        If there is nothing there, or it is neither a plain file nor a folder.
    """
    try:
        info = os.stat(path)
    except (OSError, ValueError) as error:
        refuse(path, f"cannot be opened ({_reason(error)}); check the path", error)
    for test, kind in _KINDS:
        if test(info.st_mode):
            refuse(path, f"is {kind}, not a file; give the scan's file or its DICOM folder")
    return info


def open_file(path: Path) -> BinaryIO:
    """Open a plain, non-empty file for reading.

    Raises
    ------
    ScanError
        If it is not a plain file, is empty, too large, or may not be read.
    """
    info = status(path)
    if not stat.S_ISREG(info.st_mode):
        refuse(path, "is a folder, and a file was expected")
    if info.st_size == 0:
        refuse(path, "is empty; copy the scan again")
    if info.st_size > MAX_FILE_BYTES:
        refuse(path, f"has {info.st_size / 2**30:.1f} GB, more than a spine MR scan can need")
    try:
        # Should the file have become a pipe since, opening must still not wait for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        refuse(path, f"cannot be opened ({_reason(error)}); check its permissions", error)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        refuse(path, "is not a plain file")
    return os.fdopen(handle, "rb")


def claimed_bytes(path: Path, shape: Sequence[int], itemsize: int, limit: int = MAX_BYTES) -> int:
    """Bytes that voxels of `shape` take, once the claim is found to be within reason.

    Raises
    ------
    ScanError
        If an axis is empty or the volume is beyond the limits.
    """
    if len(shape) == 0 or min(shape) < 1:
        refuse(path, f"holds no voxels (its header says {_times(shape)})")
    count = math.prod(int(n) for n in shape)
    if count > MAX_VOXELS * (limit // MAX_BYTES) or count * itemsize > limit:
        refuse(path, f"claims {_times(shape)} voxels, more than SpineSeg can hold; crop or resample it first")
    return count * itemsize


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(int(n)) for n in shape) or "none"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
