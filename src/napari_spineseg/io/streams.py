"""Reading exactly the bytes that were promised, from plain and from compressed files.

Compressed data are counted as they come out, so that neither a header nor a compression bomb
decides how much memory is used, and a stream is read to its end, so that its checksum is held.
"""

from __future__ import annotations

import bz2
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_spineseg.io.guard import refuse

_CHUNK = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
MAX_SURPLUS = 64 * 2**20
"""Bytes that may follow the voxels (padding, extra blocks) before a file is called a bomb."""


class GzipBytes(io.RawIOBase):
    """The decompressed bytes of a gzip file.

    Refuses whatever `gzip -t` calls corrupt: a bad checksum or length, a stream that ends early,
    anything but zeros or another member after the end. `zlib` alone would let the last two pass.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self._engine = zlib.decompressobj(wbits=31)
        self._input = b""

    def readable(self) -> bool:
        """Always; needed by `io.BufferedReader`."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` as far as one step of decompression goes; 0 at the end."""
        while True:
            if self._engine.eof and not self._next_member():
                return 0
            try:
                out = self._engine.decompress(self._input, len(buffer))
            except zlib.error as error:
                refuse(self._path, "is a damaged gzip file; copy or export it again", error)
            self._input = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            if out:
                buffer[: len(out)] = out
                return len(out)
            if not self._engine.eof and not self._refill():
                refuse(self._path, "is a gzip file that ends too early; copy or export it again")

    def _refill(self) -> bool:
        if not self._input:
            self._input = self._file.read(_CHUNK)
        return bool(self._input)

    def _next_member(self) -> bool:
        """Start on a following gzip member; false at the end of the file."""
        if len(self._input) < 2:
            self._input += self._file.read(_CHUNK)
        if self._input[:2] == _GZIP_MAGIC:
            self._engine = zlib.decompressobj(wbits=31)
            return True
        while self._input:
            if self._input.strip(b"\0"):
                refuse(self._path, "has other data after its gzip stream; copy or export it again")
            self._input = self._file.read(_CHUNK)
        return False


class PackedBytes(io.RawIOBase):
    """The decompressed bytes of a zlib, gzip or bzip2 stream inside a file; what follows is ignored.

    Programs that compress on several processors write one stream after the other: they are one here.
    """

    def __init__(self, file: BinaryIO, path: Path, method: str = "zlib") -> None:
        self._file, self._path = file, path
        self._bzip2 = method == "bzip2"
        self._engine = self._new_engine()
        self._input = b""

    def _new_engine(self) -> Any:
        # 47: zlib finds out by itself whether the stream has a zlib or a gzip header.
        return bz2.BZ2Decompressor() if self._bzip2 else zlib.decompressobj(wbits=47)

    def readable(self) -> bool:
        """Always; needed by `io.BufferedReader`."""
        return True

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` as far as one step of decompression goes; 0 at the end."""
        while not self._engine.eof or self._next_stream():
            try:
                out = self._engine.decompress(self._input, len(buffer))
            except (zlib.error, OSError) as error:
                refuse(self._path, "has damaged compressed voxels; copy or export it again", error)
            self._input = b"" if self._bzip2 else self._engine.unconsumed_tail
            if out:
                buffer[: len(out)] = out
                return len(out)
            if not self._input and not self._engine.eof and (not self._bzip2 or self._engine.needs_input):
                self._input = self._file.read(_CHUNK)
                if not self._input:
                    refuse(self._path, "has compressed voxels that end too early; copy or export it again")
        return 0

    def _next_stream(self) -> bool:
        """Start on a stream of the same kind that follows; false if none does."""
        magic = b"BZh" if self._bzip2 else _GZIP_MAGIC
        rest = self._engine.unused_data
        if len(rest) < len(magic):
            rest += self._file.read(_CHUNK)
        if not rest.startswith(magic):
            return False
        self._engine, self._input = self._new_engine(), rest
        return True


def buffered(source: io.RawIOBase) -> io.BufferedReader:
    """A stream with `read(n)` that returns `n` bytes unless the end comes first."""
    return io.BufferedReader(source, _CHUNK)


def read_bytes(source: BinaryIO, count: int, path: Path) -> np.ndarray:
    """Exactly `count` bytes as uint8.

    Memory is touched only as bytes arrive, so a false claim costs nothing.

    Raises
    ------
    ScanError
        If the stream ends first.
    """
    data = np.empty(count, np.uint8)
    view, done = memoryview(data), 0
    while done < count:
        step = source.readinto(view[done : done + _CHUNK])
        if not step:
            refuse(
                path,
                f"is cut short: its header promises {count} bytes of voxels and it holds {done}; "
                "copy or export it again",
            )
        done += step
    return data


def skip(source: BinaryIO, count: int, path: Path) -> None:
    """Leave out `count` bytes of a stream that cannot seek."""
    while count > 0:
        step = len(source.read(min(count, _CHUNK)))
        if not step:
            refuse(path, "is cut short: it ends before its voxels begin; copy or export it again")
        count -= step


def drain(source: BinaryIO, path: Path, limit: int = MAX_SURPLUS) -> None:
    """Read a compressed stream to its end, so that its checksum is tested.

    Raises
    ------
    ScanError
        If the stream is damaged, or holds more than `limit` bytes beyond the voxels.
    """
    surplus = 0
    while step := len(source.read(_CHUNK)):
        surplus += step
        if surplus > limit:
            refuse(path, "holds far more data than its header describes; export it again")
