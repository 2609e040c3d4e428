"""What kind of file this is, by its first bytes. A name only decides where the bytes cannot."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import Literal

from napari_spineseg.io.guard import open_file, refuse, status

Format = Literal["nifti", "metaimage", "nrrd", "dicom", "tiff", "folder"]

FORMATS_IN_WORDS = "NIfTI, MHA/MHD, NRRD, TIFF, a DICOM file or a DICOM folder"
_HEAD = 540
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_META_KEYS = (b"objecttype", b"ndims", b"comment", b"elementdatafile", b"transformtype")
_GZIP = b"\x1f\x8b"


def format_of(path: Path) -> Format:
    """The format of a file, or "folder".

    Raises
    ------
    ScanError
        If it is nothing SpineSeg reads. Pipes, sockets and devices are refused unopened.
    """
    if stat.S_ISDIR(status(path).st_mode):
        return "folder"
    with open_file(path) as file:
        head = file.read(_HEAD)
    found = recognise(head, path.name)
    if found is None:
        refuse(path, f"is not a format SpineSeg reads; give {FORMATS_IN_WORDS}")
    return found


def recognise(head: bytes, name: str = "") -> Format | None:
    """The format that a file's first 540 bytes show, None for another.

    >>> recognise(b"NRRD0004"), recognise(b"hello")
    ('nrrd', None)
    """
    lower = name.lower()
    if head[:2] == _GZIP or lower.endswith((".nii", ".nii.gz", ".hdr", ".img", ".img.gz")):
        return "nifti"
    if head[:4] == b"NRRD":
        return "nrrd"
    if head[:4] in _TIFF:
        return "tiff"
    if looks_like_dicom(head):
        return "dicom"
    if head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2"):
        return "nifti"
    start = head.lstrip()[:40].lower()
    if lower.endswith((".mha", ".mhd")) or start.startswith(_META_KEYS):
        return "metaimage"
    by_name = {".nrrd": "nrrd", ".nhdr": "nrrd", ".tif": "tiff", ".tiff": "tiff", ".dcm": "dicom"}
    return by_name.get(os.path.splitext(lower)[1])


def looks_like_dicom(head: bytes) -> bool:
    """Whether bytes begin a DICOM file, with the usual preamble or (older files) without.

    Without it a file starts with an element of group 0002 or 0008: its tag, then either a
    two-letter type or a small length.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 16:
        return False
    group, element, length = struct.unpack("<HHI", head[:8])
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    explicit = head[4:6] in (b"UL", b"CS", b"UI", b"SH", b"LO", b"DA", b"TM", b"OB", b"PN")
    return explicit or length <= 128
