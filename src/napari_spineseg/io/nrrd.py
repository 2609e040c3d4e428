"""NRRD: attached headers (.nrrd) and headers with one data file beside them (.nhdr).

Parsed here for the reasons given in `metaimage`. The meaning of every field follows
http://teem.sourceforge.net/nrrd/format.html, and the tests hold it beside ITK's reader.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from napari_spineseg.io.detached import (
    MAX_WRITTEN_OUT,
    data_file_beside,
    numbers,
    read_header_lines,
    read_numbers,
)
from napari_spineseg.io.guard import claimed_bytes, open_file, refuse
from napari_spineseg.io.streams import PackedBytes, buffered, drain, read_bytes, skip
from napari_spineseg.io.volume import Volume, check_affine, left_note, lps_affine, pick_volume

_TYPES = {
    "i1": "signed char|int8|int8_t", "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t", "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float", "f8": "double",
}  # fmt: skip
_TYPE_OF = {name: code for code, names in _TYPES.items() for name in names.split("|")}
# Signs that bring (x, y, z) of a space to LPS. ITK takes any other space as LPS.
_SIGNS = {"lps": (1, 1, 1), "ras": (-1, -1, 1), "las": (1, -1, 1)}
_LONG = {
    "left-posterior-superior": "lps",
    "right-anterior-superior": "ras",
    "left-anterior-superior": "las",
}
_PACKED = {"gzip": "zlib", "gz": "zlib", "bzip2": "bzip2", "bz2": "bzip2"}
# Unpacking is slow: a gigabyte of zeros, in a file of a kilobyte, takes half a minute.
_MAX_BZIP2 = 2**28
_IN_SPACE = ("domain", "space")
_LISTS = ("list", "time", "none", "???", "")


def read_nrrd(path: Path, volume: int | None = None) -> Volume:
    """Read a .nrrd or .nhdr file.

    Raises
    ------
    ScanError
        If it is damaged, cut short, not one real value a voxel, or its data file is missing or
        outside the header's own folder.
    """
    with open_file(path) as file:
        fields, note = _fields(file, path)
        sizes = _sizes(fields, path)
        space, repeat = _axes(fields, sizes, path)
        dtype = _dtype(fields, path)
        affine, notes = _affine(fields, space, len(sizes), path)
        index = pick_volume(path, 1 if repeat is None else sizes[repeat], volume)
        target = fields.get("data file", fields.get("datafile"))
        if target is None:
            flat = _bytes(file, fields, sizes, dtype, path)
        else:
            with data_file_beside(path, target) as data:
                flat = _bytes(data, fields, sizes, dtype, path)
    voxels = flat.view(dtype).reshape(sizes, order="F")
    voxels = np.moveaxis(voxels, space, range(len(space)))
    rest = tuple(index if axis == repeat else 0 for axis in range(len(sizes)) if axis not in space)
    voxels = voxels[(..., *rest)]
    voxels = voxels.reshape(voxels.shape + (1,) * (3 - voxels.ndim), order="F")
    facts = {"format": "nrrd", "dtype": dtype.newbyteorder("=").name}
    if note is not None:
        facts["spineseg"] = note
    return Volume(voxels, affine, facts, notes)


def _fields(file: BinaryIO, path: Path) -> tuple[dict[str, str], dict | None]:
    """Fields in lower case, and our own note; `file` stands on the first byte after the header."""
    fields: dict[str, str] = {}
    note = None
    lines = read_header_lines(file, path)
    if not next(lines, "").startswith("NRRD"):
        refuse(path, "is not a NRRD file (its first line is missing); export it again")
    for line in lines:
        if not line:
            break
        if line.startswith("#"):
            continue
        # A field's name holds no colon; what comes after ":=" is a remark in pairs.
        name, separator, value = line.partition(":")
        if not separator:
            refuse(path, "has a damaged NRRD header; export it again")
        if value.startswith("="):
            note = left_note(value[1:]) if name == "SpineSeg" else note
            continue
        fields[name.strip().lower()] = value.strip()
    return fields, note


def _sizes(fields: dict[str, str], path: Path) -> tuple[int, ...]:
    sizes = numbers(path, fields, "sizes")
    if not sizes or not all(n.is_integer() and n >= 1 for n in sizes):
        refuse(path, f"holds no voxels (sizes: {fields.get('sizes', 'missing')})")
    if numbers(path, fields, "dimension", [len(sizes)]) != [len(sizes)] or len(sizes) > 7:
        refuse(path, "has a header whose dimension and sizes do not agree; export it again")
    return tuple(int(n) for n in sizes)


def _axes(fields: dict[str, str], sizes: Sequence[int], path: Path) -> tuple[list[int], int | None]:
    """The axes in space (at most three), and the one that counts volumes, if any."""
    kinds = fields.get("kinds", "").lower().split() or [""] * len(sizes)
    vectors, time = _directions(fields)
    if len(kinds) != len(sizes) or (vectors and len(vectors) != len(sizes)):
        refuse(path, "has a header with another number of kinds or directions than axes; export it again")
    if vectors:
        space = [axis for axis, vector in enumerate(vectors) if vector is not None]
    elif any(kind in _IN_SPACE for kind in kinds):
        space = [axis for axis, kind in enumerate(kinds) if kind in _IN_SPACE]
    else:
        space = list(range(min(3, len(sizes))))
    others = [axis for axis in range(len(sizes)) if axis not in space and sizes[axis] > 1]
    if any(kinds[axis] not in _LISTS and axis != time for axis in others) or len(others) > 1:
        refuse(path, "holds vectors or colours (several values a voxel); export a grey-scale scan")
    if not 2 <= len(space) <= 3:
        refuse(path, f"has {len(space)} axes in space where a volume has three")
    return space, others[0] if others else None


def _directions(fields: dict[str, str]) -> tuple[list[list[float] | None], int | None]:
    """One vector an axis, None for those not in space; and the axis that is time in four-dimensional space.

    ITK writes volumes one after the other as a fourth dimension of space, at right angles to the rest.
    """
    vectors = _vectors(fields.get("space directions", ""))
    if not all(vector is None or len(vector) == 4 for vector in vectors):
        return vectors, None
    along = [axis for axis, vector in enumerate(vectors) if vector is not None and vector[3] != 0]
    if len(along) != 1 or any(vectors[along[0]][:3]):
        return vectors, None
    time = along[0]
    return [None if v is None or axis == time else v[:3] for axis, v in enumerate(vectors)], time


def _vectors(text: str) -> list[list[float] | None]:
    """The vectors of "(1,0,0) none (0,1,0)"; None for "none"."""
    found: list[list[float] | None] = []
    for word in re.findall(r"none|\([^)]*\)", text.lower()):
        try:
            found.append(None if word == "none" else [float(v) for v in word[1:-1].split(",")])
        except ValueError:
            found.append([np.nan] * 3)
    return found


def _dtype(fields: dict[str, str], path: Path) -> np.dtype:
    kind = fields.get("type", "missing").lower()
    if kind not in _TYPE_OF:
        refuse(path, f"has voxels of type {kind}, not one grey value each; export a grey-scale scan")
    dtype = np.dtype(_TYPE_OF[kind])
    endian = fields.get("endian", "").lower()
    if dtype.itemsize > 1 and endian not in ("little", "big") and fields.get("encoding", "raw") == "raw":
        refuse(path, "does not say its byte order (endian); export it again")
    return dtype.newbyteorder(">" if endian == "big" else "<")


def _affine(fields: dict[str, str], space: list[int], axes: int, path: Path) -> tuple[np.ndarray, list[str]]:
    """Geometry, from "space directions" or, without them, from "spacings" alone."""
    named = _space(fields)
    signs = np.array(_SIGNS[named or "lps"], float)
    vectors, time = _directions(fields)
    origin = next(iter(_vectors(fields.get("space origin", ""))), None) or [0.0] * 3
    origin = origin if time is None else origin[:3]
    matrix, notes = np.eye(3), []
    if len(origin) not in (2, 3):
        refuse(path, "has a position that does not lie in three-dimensional space; export it again")
    if vectors:
        for column, axis in enumerate(space):
            vector = vectors[axis] or []
            if len(vector) not in (2, 3):
                refuse(path, "has axes that do not lie in three-dimensional space; export it again")
            matrix[:, column] = 0
            matrix[: len(vector), column] = vector
        if named is None:
            said = fields.get("space", "none")[:40]
            notes.append(f"The header names no anatomical space (space: {said}); L, P, S is assumed.")
    else:
        spacings = numbers(path, fields, "spacings", [np.nan] * axes)
        known = [spacings[axis] if axis < len(spacings) else np.nan for axis in space]
        matrix[range(len(space)), range(len(space))] = np.where(np.isnan(known), 1.0, known)
        if "spacings" in fields and not np.isfinite(known).all():
            refuse(path, "has a voxel spacing that is not a number; correct it and try again")
        if np.isnan(known).any():
            notes.append("The header gives no voxel spacing; 1 mm is assumed.")
        if min(matrix[range(len(space)), range(len(space))]) <= 0:
            refuse(path, f"has a voxel spacing of {np.nanmin(known):g} in its header; correct it")
        axes_in_words = ", ".join(named or "lps").upper()
        notes.append(f"The header gives no orientation; the axes {axes_in_words} are assumed.")
    place = np.zeros(3)
    place[: len(origin)] = origin
    if len(space) == 2:
        # One slice: its normal is whatever is at right angles to it, 1 mm thick.
        matrix[:, 2] = np.cross(matrix[:, 0], matrix[:, 1])
        matrix[:, 2] /= np.linalg.norm(matrix[:, 2]) or 1.0
    affine = lps_affine(matrix * signs[:, None], np.ones(3), place * signs)
    check_affine(path, affine)
    return affine, notes


def _space(fields: dict[str, str]) -> str | None:
    """The space as a key of `_SIGNS`, with time or without; None where it is another or none."""
    said = fields.get("space", "").lower()
    short = _LONG.get(said.removesuffix("-time"), said)
    short = short.removesuffix("t") if len(short) == 4 else short
    return short if short in _SIGNS else None


def _bytes(
    data: BinaryIO, fields: dict[str, str], sizes: tuple[int, ...], dtype: np.dtype, path: Path
) -> np.ndarray:
    """All voxels of the file as bytes in the order of the file."""
    total = claimed_bytes(path, sizes, dtype.itemsize)
    encoding = fields.get("encoding", "raw").lower()
    lines, offset = (_whole(path, fields, key) for key in ("line skip", "byte skip"))
    for _ in range(min(lines, 4096)):
        data.readline(1 << 16)
    if encoding == "raw":
        if offset == -1:
            data.seek(max(0, data.seek(0, 2) - total))
        skip(data, offset, path)
        return read_bytes(data, total, path)
    if encoding in _PACKED:
        if _PACKED[encoding] == "bzip2" and total > _MAX_BZIP2:
            refuse(path, "holds more voxels as bzip2 than SpineSeg reads; save it as gzip")
        source = buffered(PackedBytes(data, path, _PACKED[encoding]))
        skip(source, offset, path)
        result = read_bytes(source, total, path)
        drain(source, path)
        return result
    if encoding in ("ascii", "text", "txt"):
        return read_numbers(data, total // dtype.itemsize, path).astype(dtype).view(np.uint8)
    if encoding == "hex":
        return _hex_bytes(data, total, path)
    refuse(path, f"is encoded as {encoding[:20]}, which SpineSeg does not read; save it as gzip")


def _whole(path: Path, fields: dict[str, str], key: str) -> int:
    values = numbers(path, fields, key, [0.0])
    if len(values) != 1 or not values[0].is_integer():
        refuse(path, f"has a damaged header ({key}: {fields[key][:40]}); export it again")
    return int(values[0])


def _hex_bytes(data: BinaryIO, total: int, path: Path) -> np.ndarray:
    """Voxels written as hexadecimal digits, as bytes."""
    if total > MAX_WRITTEN_OUT:
        refuse(path, "writes out more voxels as text than SpineSeg reads; save it as gzip")
    # Two digits a byte, and line ends between them.
    try:
        content = bytes.fromhex(data.read(3 * total).decode("ascii"))[:total]
    except ValueError as error:
        refuse(path, "has voxels that are not numbers; export it again", error)
    if len(content) < total:
        refuse(path, f"is cut short: its header promises {total} bytes of voxels and it holds {len(content)}")
    return np.frombuffer(content, np.uint8)
