"""Folders that appear whole or not at all, lines that survive a pulled plug, and who is alive.

A version is a folder. It is filled under another name, flushed, then renamed: a rename onto a
folder that is there fails, so that two processes never get the same number and nothing is ever
overwritten.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from napari_spineseg.errors import StoreError
from napari_spineseg.files import flush

_UNFINISHED = ".new-"
_STALE_SECONDS = 24 * 3600.0


def publish(folder: Path, fill: Callable[[Path], None]) -> bool:
    """Make `folder` with what `fill` puts into it. False, and nothing done, if the name is taken.

    Raises
    ------
    StoreError
        If the disk refuses.
    """
    aside = folder.parent / f"{_UNFINISHED}{uuid.uuid4().hex}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        fill(aside)
        for path in aside.iterdir():
            flush(path)
        flush(aside)
        if folder.exists():
            return False
        try:
            os.rename(aside, folder)
        except OSError:
            if folder.exists():  # another process was quicker
                return False
            raise
        flush(folder.parent)
        return True
    except OSError as error:
        raise StoreError(
            f"{folder.parent}: cannot be written ({error.strerror or error}); free some space or choose "
            "another folder for the corrections."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what processes that died a day ago or earlier left half made."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:
            continue  # another process swept it


def numbered(folder: Path) -> list[Path]:
    """The whole, numbered folders inside of one, lowest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))


def publish_next(folder: Path, fill: Callable[[Path, int], None]) -> Path:
    """`publish` under the next free number."""
    number = max((int(p.name) for p in numbered(folder)), default=0) + 1
    while True:
        target = folder / f"{number:04d}"
        if publish(target, lambda aside, number=number: fill(aside, number)):
            return target
        number += 1


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Strict JSON, readable by a person."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises
    ------
    StoreError
        If the file is missing or is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} is not what belongs there: expected a JSON object.")
    return content


def append_line(content: Mapping[str, Any], path: Path) -> None:
    """Add one JSON object to a file of lines; several processes may do so at once."""
    line = json.dumps(content, allow_nan=False).encode() + b"\n"
    with open(path, "ab", buffering=0) as file:
        # A line that a crash cut short must not spoil the one after it.
        if file.tell() and not _ends_whole(path):
            line = b"\n" + line
        file.write(line)
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of such a file; one that was cut short is left out."""
    out = []
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            out.append(content)
    return out


def now() -> str:
    """Universal time, to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def hold(file: IO[bytes]) -> bool:
    """Take the lock of an open file; it goes when the process does, however it ends. False if it is taken."""
    try:
        if os.name == "nt":
            import msvcrt

            place = file.tell()
            file.seek(_LOCK_AT)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(place)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock of a file."""
    with open(path, "r+b") as file:
        return not hold(file)


# Far behind any byte that is written: Windows locks ranges, and the content must stay readable.
_LOCK_AT = 1 << 40


def _ends_whole(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
