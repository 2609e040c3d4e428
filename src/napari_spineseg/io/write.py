"""Scan and Segmentation -> file, whole or not at all (see `files`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_spineseg.errors import OutputError
from napari_spineseg.files import write_whole
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
    try:
        write_whole(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{shown(path)}: cannot be written ({reason}); choose another folder.") from error
