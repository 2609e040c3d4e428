"""Voxels and affine -> the bytes of a file, one function a format."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np

from napari_spineseg.grid import Grid
from napari_spineseg.io.metaimage import header_text

# Labels compress as well at 4 as at 9, in a fifth of the time.
_LEVEL = 4


@dataclass(frozen=True, eq=False)
class Picture:
    """What a file is to hold: (i, j, k) real voxels, affine to RAS mm, and a small JSON-able note."""

    voxels: np.ndarray
    affine: np.ndarray
    note: dict[str, Any] = field(default_factory=dict)

    @property
    def note_text(self) -> str:
        """The note on one line of ASCII."""
        return json.dumps(self.note, separators=(",", ":"))


def encode_nifti(picture: Picture, packed: bool = True) -> bytes:
    """A NIfTI-1 file (NIfTI-2 for an axis beyond 32767), sform and qform both set.

    A qform cannot hold shear: for a sheared affine it is the nearest it can, and the sform,
    which readers prefer, is exact.
    """
    large = max(picture.voxels.shape) > 32767
    image = (nib.Nifti2Image if large else nib.Nifti1Image)(picture.voxels, picture.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(picture.affine, code=1)
    image.set_qform(picture.affine, code=1, strip_shears=True)
    image.header["intent_name"] = str(picture.note.get("scheme", ""))[:15].encode()
    # 80 bytes: enough for scheme and numbering.
    image.header["descrip"] = f"SpineSeg {picture.note_text}".encode()[:79]
    content = image.to_bytes()
    return gzip.compress(content, _LEVEL, mtime=0) if packed else content


def encode_metaimage(picture: Picture, data_file: str) -> tuple[bytes, bytes]:
    """Header and zlib-compressed voxels of a MetaImage; `data_file` is "LOCAL" or a file name."""
    voxels = _little(picture.voxels)
    packed = zlib.compress(voxels.tobytes(order="F"), _LEVEL)
    extra = {"CompressedDataSize": len(packed), "SpineSeg": picture.note_text, "ElementDataFile": data_file}
    text = header_text(picture.affine, voxels.shape, voxels.dtype.str[1:], extra)
    return text.encode("utf-8", "surrogateescape"), packed


_NRRD_TYPES = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32",
    "u4": "uint32", "i8": "int64", "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip


def encode_nrrd(picture: Picture) -> bytes:
    """An attached-header NRRD, gzip-compressed, in ITK's and Slicer's space (LPS)."""
    voxels = _little(picture.voxels)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ picture.affine
    vectors = [f"({','.join(f'{v:.17g}' for v in lps[:3, column])})" for column in range(4)]
    lines = [
        "NRRD0005",
        f"type: {_NRRD_TYPES[voxels.dtype.str[1:]]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, voxels.shape))}",
        f"space directions: {' '.join(vectors[:3])}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {vectors[3]}",
        f"SpineSeg:={picture.note_text}",
    ]
    header = "\n".join(lines) + "\n\n"
    return header.encode() + gzip.compress(voxels.tobytes(order="F"), _LEVEL, mtime=0)


def encode_tiff(picture: Picture) -> bytes:
    """A TIFF whose pages are sagittal slices, superior up and anterior left.

    ImageJ reads the spacing. The exact grid stands in the description, and the reader of this
    package brings the voxels back to it.
    """
    import tifffile

    turn = Grid(picture.voxels.shape, picture.affine).to_orientation()
    pages = np.ascontiguousarray(turn.apply(_little(picture.voxels)))
    slices, rows, columns = turn.grid.spacing
    note = {**picture.note, "affine": picture.affine.tolist(), "shape": list(picture.voxels.shape)}
    lines = [
        "ImageJ=1.54f",
        f"images={len(pages)}",
        f"slices={len(pages)}",
        "unit=mm",
        f"spacing={slices:.9g}",
        f"spineseg={json.dumps(note, separators=(',', ':'))}",
    ]
    target = io.BytesIO()
    tifffile.imwrite(
        target,
        pages,
        photometric="minisblack",
        compression="zlib",
        resolution=(1 / columns, 1 / rows),
        resolutionunit="NONE",
        description="\n".join(lines) + "\n",
        metadata=None,
    )
    return target.getvalue()


def _little(voxels: np.ndarray) -> np.ndarray:
    return voxels.astype(voxels.dtype.newbyteorder("<"), copy=False)
