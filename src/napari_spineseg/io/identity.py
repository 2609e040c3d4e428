"""What a scan is called, and the checksum that tells it from any other."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from napari_spineseg.errors import ScanError
from napari_spineseg.io.companion import open_companion
from napari_spineseg.io.guard import open_file, refuse
from napari_spineseg.io.sniff import looks_like_dicom

# Only endings that mean a format are taken off: "1.2.840.113" is a DICOM file without an ending.
_ENDINGS = (
    ".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm", ".dicom", ".ima", ".tiff", ".tif",
)  # fmt: skip


def stem_of(path: Path) -> str:
    """The file name without its ending, or a folder's name.

    >>> stem_of(Path("a/knee.v2.nii.gz")), stem_of(Path("IM0001")), stem_of(Path("1.2.840.5"))
    ('knee.v2', 'IM0001', '1.2.840.5')
    """
    path = Path(path)
    # "." and ".." have no name of their own.
    name = path.name if path.name not in ("", "..") else path.resolve().name
    # `os.path` says no where a name is too long or may not be looked at; reading it says why.
    if not os.path.isdir(path):
        for ending in _ENDINGS:
            if name.lower().endswith(ending) and len(name) > len(ending):
                return name[: -len(ending)]
    return name or "scan"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's DICOM files (names and bytes) in the order of their names.

    Results that are written into a scan's own folder leave it the scan that it was. Only where no file
    is DICOM does every plain one count.

    Raises
    ------
    ScanError
        If `path` is a file that cannot be read, or a folder that cannot be listed.
    """
    path = Path(path)
    digest = hashlib.sha256()
    if not path.is_dir():
        _add(digest, path)
        return digest.hexdigest()
    try:
        inside = sorted(p for p in path.rglob("*") if p.is_file())
    except OSError as error:
        refuse(path, f"cannot be listed ({error.strerror}); check its permissions", error)
    for file in [file for file in inside if _is_dicom(file)] or inside:
        digest.update(str(file.relative_to(path)).encode("utf-8", "surrogateescape") + b"\0")
        # A stray that is empty, or that may not be read, counts by its name: the slices were read already.
        with suppress(ScanError):
            _add(digest, file)
    return digest.hexdigest()


def checksums_of(path: Path) -> dict[str, str]:
    """What a record says of a scan's file: its `sha256`, and `data_sha256` where its voxels lie in another.

    Raises
    ------
    ScanError
        If either cannot be read.
    """
    known = {"sha256": sha256_of(path)}
    if not Path(path).is_dir() and (data := open_companion(Path(path))) is not None:
        digest = hashlib.sha256()
        with data:
            _take(digest, data)
        known["data_sha256"] = digest.hexdigest()
    return known


def _is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does; what may not be read does not."""
    try:
        with open_file(path) as file:
            return looks_like_dicom(file.read(132))
    except (ScanError, OSError):
        return False


def _add(digest: hashlib._Hash, path: Path) -> None:
    with open_file(path) as file:
        _take(digest, file)


def _take(digest: hashlib._Hash, file: BinaryIO) -> None:
    while block := file.read(1 << 20):
        digest.update(block)
