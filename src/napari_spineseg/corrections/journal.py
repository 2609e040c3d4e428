"""What was drawn since the last version, safe on disk while it is being drawn.

A journal is one file that is only ever appended to. It starts with the labels as they were and goes
on with the boxes that changed; each record carries its length and checksum, so that one cut short
by a crash is noticed and left out. The process that draws holds the file's lock: a journal that
nobody holds is what a crash left behind.

    SPINESEG-JOURNAL-1\\n  then records:  length of JSON, length of voxels, CRC-32, JSON, voxels (zlib)
"""

from __future__ import annotations

import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.corrections.files import hold, is_held, now
from napari_spineseg.errors import StoreError
from napari_spineseg.files import flush
from napari_spineseg.grid import Box

ENDING = ".journal"
_MAGIC = b"SPINESEG-JOURNAL-1\n"
_HEAD = struct.Struct("<QQI")
# More of a damaged length than any volume needs is not believed.
_LARGEST = 1 << 34
# What a record says of itself; the rest is what its writer wants to remember.
_OWN = {"kind", "shape", "carried", "boxes", "at"}


@dataclass(frozen=True, eq=False)
class Recovered:
    """What a journal holds.

    Attributes
    ----------
    labels
        (slices, rows, columns) uint16, as they were last.
    about
        What was said of them at the start.
    changes
        How many times something was saved, what was carried over from another journal included.
    unsaved
        How many of these are in no version.
    last
        When something was saved last.
    """

    labels: np.ndarray
    about: Mapping[str, Any]
    changes: int
    unsaved: int
    last: str


class Journal:
    """The journal of one session, being written."""

    def __init__(self, path: Path, labels: np.ndarray, about: Mapping[str, Any], carried: int = 0) -> None:
        """Start a journal at `path`.

        Parameters
        ----------
        labels
            (slices, rows, columns), as they are now.
        about
            A JSON-able description of them.
        carried
            How many changes are in `labels` and in no version: those that were restored from another
            journal, which this one then stands in for.

        Raises
        ------
        StoreError
            If the disk refuses.
        """
        self.path = path
        self.about = dict(about)
        self.changes = carried
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - open as long as the session is
            hold(self._file)
            self._file.write(_MAGIC)
            start = {**self.about, "kind": "start", "shape": labels.shape, "carried": carried, "at": now()}
            self._append(start, np.ascontiguousarray(labels, np.uint16).tobytes())
            flush(path.parent)
        except OSError as error:
            raise _refused(path, error) from error

    def write(self, changes: list[tuple[Box, np.ndarray]], **said: Any) -> None:
        """Save what some boxes hold now, each (box, its labels), and have the disk confirm it.

        Raises
        ------
        StoreError
            If the disk refuses; what was saved before is still safe.
        """
        boxes = [[[span.start, span.stop] for span in box] for box, _ in changes]
        voxels = b"".join(np.ascontiguousarray(part, np.uint16).tobytes() for _, part in changes)
        try:
            self._append({**said, "kind": "change", "boxes": boxes, "at": now()}, voxels)
        except OSError as error:
            raise _refused(self.path, error) from error
        self.changes += 1

    def mark_version(self, number: int, changes: int) -> None:
        """Note that the first `changes` changes are in version `number`.

        Raises
        ------
        StoreError
            If the disk refuses.
        """
        try:
            self._append({"kind": "version", "number": number, "changes": changes, "at": now()}, b"")
        except OSError as error:
            raise _refused(self.path, error) from error

    def finish(self) -> None:
        """Nothing in it is needed any more: it is all in a version."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Close it and leave it where it is, to be restored another time."""
        self._file.close()

    def _append(self, said: Mapping[str, Any], voxels: bytes) -> None:
        # The fastest level: a label volume shrinks a hundredfold with it.
        head, packed = json.dumps(said).encode(), zlib.compress(voxels, 1)
        checksum = zlib.crc32(packed, zlib.crc32(head))
        record = _HEAD.pack(len(head), len(packed), checksum) + head + packed
        start = self._file.tell()
        try:
            self._write_all(record)
            os.fsync(self._file.fileno())
        except OSError:
            # Half a record in the middle would hide every later one.
            self._file.truncate(start)
            self._file.seek(start)
            raise

    def _write_all(self, record: bytes) -> None:
        view = memoryview(record)
        while len(view):
            view = view[self._file.write(view) :]


def new_journal(folder: Path, labels: np.ndarray, about: Mapping[str, Any], carried: int = 0) -> Journal:
    """A journal under a name of its own."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return Journal(folder / f"{stamp}-{os.getpid()}-{uuid.uuid4().hex[:8]}{ENDING}", labels, about, carried)


def left_behind(folder: Path) -> list[Path]:
    """Journals with changes that are in no version and that no living process holds, latest first."""
    out = []
    for path in sorted(folder.glob(f"*{ENDING}"), reverse=True) if folder.is_dir() else []:
        try:
            if not is_held(path) and count_unsaved(path):
                out.append(path)
        except OSError:
            continue  # finished and removed meanwhile
    return out


def count_unsaved(path: Path) -> int:
    """How many changes of a journal are in no version, without unpacking them."""
    changes = in_version = 0
    try:
        for said, _ in _records(path):
            changes += said["carried"] if said["kind"] == "start" else said["kind"] == "change"
            in_version = said["changes"] if said["kind"] == "version" else in_version
    except StoreError:
        return 0
    return changes - in_version


def read_journal(path: Path) -> Recovered:
    """Everything that a journal holds, up to the last whole record.

    Raises
    ------
    StoreError
        If not even the start is whole.
    """
    labels, about, changes, in_version, last = None, {}, 0, 0, ""
    for said, packed in _records(path):
        last, kind = said["at"], said["kind"]
        if kind == "version":
            in_version = said["changes"]
            continue
        voxels = np.frombuffer(zlib.decompress(packed), np.uint16)
        about = about | {key: said[key] for key in said.keys() - _OWN}
        if kind == "start":
            labels, changes = voxels.reshape(said["shape"]).copy(), said["carried"]
            continue
        changes += 1
        for box, part in _split(said["boxes"], voxels):
            labels[box] = part
    if labels is None:
        raise StoreError(f"{path} holds nothing that could be restored.")
    return Recovered(labels, about, changes, changes - in_version, last)


def discard(path: Path) -> None:
    """Put a journal out of the way. It is kept under another name: what was drawn is not for us to delete."""
    os.replace(path, path.with_suffix(".discarded"))


def _records(path: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreError(f"{path} is not a journal.")
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            said_size, packed_size, checksum = _HEAD.unpack(head)
            if max(said_size, packed_size) > _LARGEST:
                return
            said, packed = file.read(said_size), file.read(packed_size)
            if len(packed) < packed_size or zlib.crc32(packed, zlib.crc32(said)) != checksum:
                return
            yield json.loads(said), packed


def _split(boxes: list[list[list[int]]], voxels: np.ndarray) -> Iterator[tuple[Box, np.ndarray]]:
    start = 0
    for corners in boxes:
        box = tuple(slice(low, high) for low, high in corners)
        shape = tuple(span.stop - span.start for span in box)
        stop = start + int(np.prod(shape))
        yield box, voxels[start:stop].reshape(shape)
        start = stop


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: what was drawn cannot be saved there ({error.strerror or error}); free some space, or save "
        "the segmentation somewhere else."
    )
