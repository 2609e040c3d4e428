"""Scan and Segmentation -> file. Written beside the place, flushed, then renamed.

A file that is being replaced stays whole until the new one is: a full disk or a pulled plug
leaves the old version, never half of the new one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_spineseg.errors import OutputError
from napari_spineseg.io.encode import Picture, encode_metaimage, encode_nifti, encode_nrrd, encode_tiff
from napari_spineseg.io.guard import shown
from napari_spineseg.io.voxels import narrow
from napari_spineseg.scan import Scan, Segmentation

ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".tif", ".tiff")
"""What can be written, by the ending of the name."""


def write_segmentation(segmentation: Segmentation, path: Path) -> None:
    """Write labels as uint16 on the scan's own grid.

    The scheme and numbering go into the file too, so that reading it back needs no guess.

    Raises
    ------
    OutputError
        If the ending is none of `ENDINGS`, a label does not fit 16 bits, or the disk refuses.
    """
    path, labels = Path(path), segmentation.labels
    if labels.dtype != np.uint16:
        if labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() > 65535:
            raise OutputError(f"{shown(path)}: labels must be whole numbers from 0 to 65535.")
        labels = labels.astype(np.uint16)
    numbering = segmentation.numbering
    note = {"kind": "labels", "scheme": segmentation.scheme}
    note |= {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic}
    _write(Picture(labels, np.asarray(segmentation.affine, float), note), path)


def write_scan(scan: Scan, path: Path) -> None:
    """Write an image on its own grid, in its own dtype where the format has it.

    Raises
    ------
    OutputError
        If the ending is none of `ENDINGS`, or the disk refuses.
    """
    note = {"kind": "scan", "sequence": scan.sequence}
    _write(Picture(narrow(scan.voxels), np.asarray(scan.affine, float), note), Path(path))


def written_files(path: Path) -> list[Path]:
    """The files that writing to `path` makes or replaces: two for a .mhd, else one."""
    return [path, path.with_suffix(".zraw")] if path.suffix.lower() == ".mhd" else [path]


def _write(picture: Picture, path: Path) -> None:
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        put(path, encode_nifti(picture, packed=name.endswith(".gz")))
    elif name.endswith(".mha"):
        put(path, b"".join(encode_metaimage(picture, "LOCAL")))
    elif name.endswith(".mhd"):
        # Data first: a header that is there always finds its data.
        data = written_files(path)[1]
        header, voxels = encode_metaimage(picture, data.name)
        put(data, voxels)
        put(path, header)
    elif name.endswith(".nrrd"):
        put(path, encode_nrrd(picture))
    elif name.endswith((".tif", ".tiff")):
        put(path, encode_tiff(picture))
    else:
        raise OutputError(f"{shown(path)}: cannot be written; end the name in {', '.join(ENDINGS)}.")


def put(path: Path, content: bytes | Callable[[Path], None]) -> None:
    """Make `content` the file `path`, whole or not at all.

    Parameters
    ----------
    content
        The bytes, or a function that writes them to the path it is given.

    Raises
    ------
    OutputError
        If the folder is missing or may not be written, the disk is full, or a folder is there.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{shown(path)}: is a folder; choose another name.")
    temporary = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        os.close(handle)
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content)
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{shown(path)}: cannot be written ({reason}); choose another folder.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
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
