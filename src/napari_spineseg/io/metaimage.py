"""MetaImage: .mha, and .mhd with a data file beside it.

Parsed here rather than by ITK: a damaged header must end in a sentence, not in a crash of the
process, in text on stderr, or in another file being opened because the header names it. The
meaning of every key follows ITK's MetaIO (metaImage.cxx), and the tests hold both side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from napari_spineseg.io.detached import data_file_beside, numbers, read_header_lines, read_numbers
from napari_spineseg.io.guard import MAX_FILE_BYTES, claimed_bytes, open_file, refuse
from napari_spineseg.io.streams import PackedBytes, buffered, drain, read_bytes
from napari_spineseg.io.volume import Volume, check_affine, left_note, lps_affine, pick_volume

# MET_LONG has four bytes in MetaIO, whatever the machine.
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_LAST_KEY = "ElementDataFile"


def read_metaimage(path: Path, volume: int | None = None) -> Volume:
    """Read a .mha or .mhd file.

    Raises
    ------
    ScanError
        If it is damaged, cut short, not one real value a voxel, or its data file is missing or
        outside the header's own folder.
    """
    with open_file(path) as file:
        keys = _keys(file, path)
        shape, count = _shape(keys, path)
        dtype = _dtype(keys, path)
        affine, notes = _affine(keys, len(numbers(path, keys, "DimSize")), path)
        index = pick_volume(path, count, volume)
        target = keys[_LAST_KEY]
        facts = {"format": "metaimage", "dtype": dtype.newbyteorder("=").name}
        facts |= {key: keys[key] for key in ("Comment", "Modality") if key in keys}
        if (note := left_note(keys.get("SpineSeg", ""))) is not None:
            facts["spineseg"] = note
        if target.upper() == "LOCAL":
            voxels = _voxels(file, keys, shape, count, index, dtype, path)
        else:
            with data_file_beside(path, target) as data:
                voxels = _voxels(data, keys, shape, count, index, dtype, path)
    return Volume(voxels, affine, facts, notes)


def _keys(file: BinaryIO, path: Path) -> dict[str, str]:
    """The header; `file` stands on the first byte after it."""
    keys: dict[str, str] = {}
    for line in read_header_lines(file, path):
        name, separator, value = line.partition("=")
        if not separator:
            name, separator, value = line.partition(":")
        if not separator:
            if not line.strip():
                continue
            refuse(path, "is not a MetaImage file (its header is damaged); export it again")
        keys[name.strip()] = value.strip()
        if name.strip() == _LAST_KEY:
            break
    if _LAST_KEY not in keys:
        refuse(path, "has a MetaImage header without ElementDataFile; export it again")
    if keys.get("ObjectType", "Image").lower() != "image":
        refuse(path, f"is a MetaIO {keys['ObjectType']}, not an image")
    return keys


def _shape(keys: dict[str, str], path: Path) -> tuple[tuple[int, int, int], int]:
    """The three spatial axes and the number of volumes."""
    sizes = numbers(path, keys, "DimSize")
    if not sizes or not all(n.is_integer() and n >= 1 for n in sizes):
        refuse(path, f"holds no voxels (DimSize = {keys.get('DimSize', 'missing')})")
    if numbers(path, keys, "NDims", [len(sizes)]) != [len(sizes)] or not 2 <= len(sizes) <= 7:
        refuse(path, f"has {keys.get('NDims')} axes in NDims and {len(sizes)} in DimSize; export it again")
    shape = [int(n) for n in sizes] + [1] * (4 - len(sizes))
    if any(n > 1 for n in shape[4:]):
        refuse(path, "has more than four axes; save one volume as a scan of its own")
    if numbers(path, keys, "ElementNumberOfChannels", [1]) != [1]:
        refuse(path, "holds vectors or colours (several values a voxel); export a grey-scale scan")
    return (shape[0], shape[1], shape[2]), shape[3]


def _dtype(keys: dict[str, str], path: Path) -> np.dtype:
    kind = keys.get("ElementType", "missing")
    if kind not in _TYPES:
        refuse(path, f"has voxels of type {kind}, not one grey value each; export a grey-scale scan")
    big = keys.get("BinaryDataByteOrderMSB", keys.get("ElementByteOrderMSB", "False"))
    return np.dtype(_TYPES[kind]).newbyteorder(">" if _true(big) else "<")


def _true(text: str) -> bool:
    return text[:1] in ("T", "t", "1")


def _affine(keys: dict[str, str], dims: int, path: Path) -> tuple[np.ndarray, list[str]]:
    """Geometry; MetaIO writes it in LPS, one row of TransformMatrix an array axis."""
    notes = []
    spacing = numbers(path, keys, "ElementSpacing") or numbers(path, keys, "ElementSize")
    if not spacing:
        spacing = [1.0] * dims
        notes.append("The header gives no voxel spacing; 1 mm is assumed.")
    origin = next(
        (v for k in ("Offset", "Position", "Origin") if (v := numbers(path, keys, k))), [0.0] * dims
    )
    matrix = next(
        (v for k in ("TransformMatrix", "Rotation", "Orientation") if (v := numbers(path, keys, k))), None
    )
    if matrix is None:
        matrix = list(np.eye(dims).ravel())
        notes.append("The header gives no orientation; the axes L, P, S are assumed.")
    if (len(spacing), len(origin), len(matrix)) != (dims, dims, dims * dims):
        refuse(path, "has a position, spacing or orientation of the wrong length; export it again")
    if not min(spacing[:3]) > 0:
        refuse(path, f"has a voxel spacing of {min(spacing[:3]):g} in its header; correct it and try again")
    rows = np.asarray(matrix, float).reshape(dims, dims)
    size = min(dims, 3)
    directions, steps, place = np.eye(3), np.ones(3), np.zeros(3)
    directions[:size, :size] = rows[:size, :size].T
    steps[:size], place[:size] = spacing[:size], origin[:size]
    affine = lps_affine(directions, steps, place)
    check_affine(path, affine)
    return affine, notes


def _voxels(
    data: BinaryIO,
    keys: dict[str, str],
    shape: tuple[int, int, int],
    count: int,
    index: int,
    dtype: np.dtype,
    path: Path,
) -> np.ndarray:
    """Voxels of volume `index`; `data` stands behind the header, or at a data file's start."""
    size = claimed_bytes(path, shape, dtype.itemsize)
    claimed_bytes(path, (*shape, count), dtype.itemsize, 2 * 2**30)
    if keys.get("BinaryData", "True")[:1] in ("F", "f", "0"):
        return _written_out(data, shape, count, index, dtype, path)
    _seek_voxels(data, keys, size * count, path)
    source = data
    if _true(keys.get("CompressedData", "False")):
        source = buffered(PackedBytes(data, path))
    for _ in range(index):
        read_bytes(source, size, path)
    voxels = read_bytes(source, size, path).view(dtype).reshape(shape, order="F")
    if source is not data:
        drain(source, path, 2 * 2**30 if count > 1 else 64 * 2**20)
    return voxels


def _seek_voxels(data: BinaryIO, keys: dict[str, str], size: int, path: Path) -> None:
    """Honour HeaderSize: a number of bytes, or -1 for "the voxels are the end of the file"."""
    header = next(iter(numbers(path, keys, "HeaderSize")), 0.0)
    if header > 0:
        data.seek(int(min(header, MAX_FILE_BYTES)))
    elif header == -1:
        end = data.seek(0, 2)
        data.seek(max(0, end - size))


def _written_out(
    data: BinaryIO, shape: tuple[int, int, int], count: int, index: int, dtype: np.dtype, path: Path
) -> np.ndarray:
    """Voxels written as decimal numbers."""
    total = int(np.prod(shape))
    values = read_numbers(data, total * count, path)
    one = values[index * total : (index + 1) * total]
    return one.astype(dtype.newbyteorder("=")).reshape(shape, order="F")


def header_text(affine: np.ndarray, shape: tuple[int, int, int], kind: str, extra: dict[str, Any]) -> str:
    """Header lines for a little-endian, zlib-compressed image, ElementDataFile left out.

    Parameters
    ----------
    affine
        (4, 4), RAS mm.
    kind
        numpy type code such as "u2".
    extra
        Further keys and their values, one line each.
    """
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    rows = (lps[:3, :3] / spacing).T
    names = {code: name for name, code in reversed(_TYPES.items())}
    lines = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": True,
        "BinaryDataByteOrderMSB": False,
        "CompressedData": True,
        "TransformMatrix": _listed(rows.ravel()),
        "Offset": _listed(lps[:3, 3]),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _listed(spacing),
        "DimSize": " ".join(map(str, shape)),
        "ElementType": names[kind],
        **extra,
    }
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def _listed(values: np.ndarray) -> str:
    return " ".join(f"{float(v):.17g}" for v in values)
