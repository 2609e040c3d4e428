"""Files that are there whole or not at all: written beside their place, flushed, then renamed.

A file that is being replaced stays whole until the new one is: a full disk or a pulled plug leaves the old
version, never half of the new one.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Make `content` the file `path`; where that fails, nothing is changed and nothing left beside it.

    Parameters
    ----------
    content
        Bytes, text (written as UTF-8), or a function that writes them to the path it is given.

    Raises
    ------
    OSError
        If the disk refuses, or `path` is a device, pipe or socket: the file would take its place.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise FileExistsError(errno.EEXIST, "A device, pipe or socket is there", str(path))
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    try:
        if callable(content):
            content(beside)
        else:
            beside.write_bytes(content.encode() if isinstance(content, str) else content)
        flush(beside)
        # Temporary files are private; what replaces an ordinary file has to be as readable as one.
        beside.chmod(0o666 & ~_umask())
        os.replace(beside, path)
        flush(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have the disk itself hold a file or folder, where the system can say so."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The permissions new files lack. There is no way to ask without setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
