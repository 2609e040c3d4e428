"""NIfTI-1 and NIfTI-2 single files (.nii, .nii.gz).

The header is parsed by nibabel, so that geometry is what nibabel says; voxels are read here, so
that a header is never believed about memory and a damaged gzip stream is never believed at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from nibabel import Nifti1Header, Nifti2Header
from nibabel.spatialimages import HeaderDataError

from napari_spineseg.io.guard import claimed_bytes, open_file, refuse
from napari_spineseg.io.quiet import quiet
from napari_spineseg.io.streams import GzipBytes, buffered, drain, read_bytes, skip
from napari_spineseg.io.volume import Volume, check_affine, left_note, pick_volume

_REAL = {np.dtype(t) for t in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")}
_NOT_REAL = {
    32: "complex numbers", 1792: "complex numbers", 2048: "complex numbers",
    128: "RGB colours", 2304: "RGBA colours", 1: "single bits", 1536: "128-bit floats",
}  # fmt: skip
# All volumes of a file together: what two gigabytes of stream take is still a few seconds.
_MAX_STREAM = 2 * 2**30
_UNIT_NAMES = {1: "metres", 3: "micrometres"}


def read_nifti(path: Path, volume: int | None = None) -> Volume:
    """Read a NIfTI file.

    Parameters
    ----------
    volume
        Which volume of a 4D file, counted from 0.

    Raises
    ------
    ScanError
        If the file is damaged, cut short, not a single real-valued volume, or has no geometry.
    """
    with open_file(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if path.name.lower().endswith(".gz") and not packed:
            refuse(path, "is named .gz but is not compressed; rename it to .nii or copy it again")
        source = buffered(GzipBytes(file, path)) if packed else file
        header, raw = _header(source, path)
        result = _volume(header, raw, source, path, volume)
        if packed:
            drain(source, path, _MAX_STREAM if volume is not None else 64 * 2**20)
    return result


def _header(source: BinaryIO, path: Path) -> tuple[Any, Any]:
    """The header as nibabel repairs it, and as it stands."""
    block = source.read(348)
    kind = Nifti1Header
    if block[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"):
        kind = Nifti2Header
        block += source.read(540 - 348)
    magic = block[4:12] if kind is Nifti2Header else block[344:348]
    named = path.name.lower().endswith((".img", ".img.gz")) and magic[:3] not in (b"n+1", b"n+2")
    if magic[:2] == b"ni" or named:
        refuse(path, "is half of a .hdr/.img pair; convert the pair to one .nii.gz file first")
    if len(block) < kind.template_dtype.itemsize:
        refuse(path, "is too short for a NIfTI header; copy or export it again")
    if magic[:3] not in (b"n+1", b"n+2"):
        refuse(path, "is not a NIfTI file (its magic number is missing); export it again")
    with quiet("nibabel.global"):
        try:
            return kind(block, check=True), kind(block, check=False)
        except (HeaderDataError, ValueError, OverflowError) as error:
            refuse(path, f"has a damaged NIfTI header ({error}); export it again", error)


def _volume(header: Any, raw: Any, source: BinaryIO, path: Path, volume: int | None) -> Volume:
    """Geometry, then the voxels of one volume; `source` stands right behind the header."""
    shape, count = _shape(header, path)
    dtype = _dtype(header, path)
    slope, intercept = _scaling(header, path)
    affine, notes = _affine(header, raw, shape, path)
    index = pick_volume(path, count, volume)
    nbytes = claimed_bytes(path, shape, dtype.itemsize)
    claimed_bytes(path, (*shape, count), dtype.itemsize, _MAX_STREAM)
    start = _start(header, path) + index * nbytes
    skip(source, start - int(header["sizeof_hdr"]), path)
    voxels = read_bytes(source, nbytes, path).view(dtype).reshape(shape, order="F")
    if (slope, intercept) != (1.0, 0.0):
        voxels = _scaled(voxels, slope, intercept, np.float64 if dtype.itemsize == 8 else np.float32)
    return Volume(voxels, affine, _facts(header, dtype), notes)


def _scaled(voxels: np.ndarray, slope: float, intercept: float, dtype: type) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = voxels.astype(dtype)
        scaled *= dtype(slope)
        scaled += dtype(intercept)
    return scaled


def _shape(header: Any, path: Path) -> tuple[tuple[int, int, int], int]:
    """The three spatial axes and the number of volumes."""
    shape = [int(n) for n in header["dim"][1 : 1 + max(0, min(7, int(header["dim"][0])))]]
    if not 1 <= int(header["dim"][0]) <= 7 or min(shape) < 1:
        refuse(path, f"holds no voxels (its header says {' x '.join(map(str, shape)) or 'no axes'})")
    if len(shape) < 2:
        refuse(path, "holds a single line of voxels, not a volume")
    shape += [1] * (4 - len(shape))
    if any(n > 1 for n in shape[4:]):
        refuse(path, "holds vectors (several values a voxel); save one component as a scan of its own")
    return (shape[0], shape[1], shape[2]), shape[3]


def _dtype(header: Any, path: Path) -> np.dtype:
    code = int(header["datatype"])
    if code in _NOT_REAL:
        refuse(path, f"holds {_NOT_REAL[code]}, not one grey value a voxel; export a grey-scale scan")
    try:
        dtype = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        refuse(path, f"has an unknown voxel type ({code}); export it again", error)
    if dtype.newbyteorder("=") not in _REAL:
        refuse(path, f"holds voxels of type {dtype}, not one grey value each; export a grey-scale scan")
    return dtype


def _scaling(header: Any, path: Path) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where the header asks for none."""
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        refuse(path, f"has a damaged intensity scale ({error}); export it again", error)
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))


def _affine(header: Any, raw: Any, shape: tuple[int, int, int], path: Path) -> tuple[np.ndarray, list[str]]:
    """sform if its code is above 0, else qform, else pixdim with a warning."""
    notes = []
    if int(header["sform_code"]) <= 0:
        notes = _mend_spacing(header, raw, shape, path)
    try:
        affine = np.asarray(header.get_best_affine(), float)
    except (HeaderDataError, ValueError) as error:
        refuse(path, f"has a damaged orientation ({error}); export it again", error)
    check_affine(path, affine)
    unit = _UNIT_NAMES.get(int(header["xyzt_units"]) & 7)
    if unit:
        notes.append(f"The header gives its spacing in {unit}; it is taken as millimetres.")
    return affine, notes


def _mend_spacing(header: Any, raw: Any, shape: tuple[int, int, int], path: Path) -> list[str]:
    """Warn about, or refuse, spacings that only pixdim can tell and does not."""
    notes = []
    spacing = np.asarray(raw["pixdim"][1:4], float)
    for axis, value in enumerate(spacing):
        if value == 0 and shape[axis] == 1:
            header["pixdim"][axis + 1] = 1.0
            notes.append("The header gives no slice spacing; 1 mm is assumed.")
        elif value == 0 or not np.isfinite(value):
            refuse(path, f"has a voxel spacing of {value:g} in its header; set it (pixdim) and try again")
    if int(header["qform_code"]) <= 0:
        sizes = " x ".join(f"{abs(v):g}" for v in header["pixdim"][1:4])
        notes.append(
            "The header gives no orientation (sform and qform codes are 0); "
            f"spacing {sizes} mm and the axes R, A, S are assumed."
        )
    return notes


def _start(header: Any, path: Path) -> int:
    """Where the voxels begin."""
    least = 544 if int(header["sizeof_hdr"]) == 540 else 352
    offset = float(header["vox_offset"])
    if offset == 0:
        return least
    if not (least <= offset < 2**30 and offset == int(offset)):
        refuse(path, f"has a damaged NIfTI header (voxels begin at byte {offset:g}); export it again")
    return int(offset)


def _facts(header: Any, dtype: np.dtype) -> dict[str, Any]:
    """JSON-able facts of the header."""

    def text(key: str) -> str:
        return header[key].tobytes().split(b"\0")[0].decode("latin-1").strip()

    facts = {
        "format": "nifti",
        "dtype": dtype.newbyteorder("=").name,
        "sform_code": int(header["sform_code"]),
        "qform_code": int(header["qform_code"]),
        "descrip": text("descrip"),
        "intent_name": text("intent_name"),
    }
    if (note := left_note(text("descrip").removeprefix("SpineSeg "))) is not None:
        facts["spineseg"] = note
    return facts
