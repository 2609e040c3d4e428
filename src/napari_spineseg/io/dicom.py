"""DICOM: a folder of slices, one classic slice, or an enhanced multi-frame file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.errors import ScanError
from napari_spineseg.io.dicom_files import Header, files_in, meta_of, read_header
from napari_spineseg.io.dicom_pixels import Pixels, stored_dtype
from napari_spineseg.io.dicom_series import Series, choose, group
from napari_spineseg.io.dicom_slices import Slice, is_grey, is_image, lost_its_pixels, slices_of
from napari_spineseg.io.dicom_stack import order
from napari_spineseg.io.guard import claimed_bytes, refuse
from napari_spineseg.io.volume import Volume

# A folder with several series is refused anyway: after this long, naming those seen is enough.
_ENOUGH_SECONDS = 12.0
# Nothing that names the patient: only what later steps use.
_FACTS = (
    "Modality", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "SeriesDescription",
    "ProtocolName", "SequenceName", "ScanningSequence", "SeriesNumber", "SeriesInstanceUID",
    "StudyInstanceUID", "FrameOfReferenceUID",
)  # fmt: skip


def read_dicom(path: Path, series: str | None = None) -> Volume:
    """Read a DICOM folder, or a file by itself.

    Parameters
    ----------
    series
        Which series, where there are several: its key as the refusal names it, its number,
        description or UID.

    Raises
    ------
    ScanError
        If there is no image, several series and none picked, or no even stack of slices.
    """
    path = Path(path)
    headers, notes = _headers(path, series)
    slices = [one for header in headers for one in slices_of(header)]
    if not slices:
        refuse(path, _why_nothing(path))
    chosen = choose(path, group(slices), series)
    if chosen.copies:
        notes.append(f"{chosen.copies} slice(s) are stored twice and were counted once.")
    stack, affine, more = order(path, chosen.slices)
    return Volume(_voxels(path, stack), affine, _facts(chosen, stack), notes + more + _remarks(chosen))


def _headers(path: Path, series: str | None) -> tuple[list[Header], list[str]]:
    """Headers of grey-scale images, and what to say about files left out."""
    if path.is_dir():
        return _headers_in(path, series)
    header = read_header(path)
    if header is None or not is_image(header):
        refuse(path, _why_no_image(header))
    if not is_grey(header):
        refuse(path, "is a colour picture; give the grey-scale series")
    return [header], []


def _headers_in(folder: Path, series: str | None) -> tuple[list[Header], list[str]]:
    found, damaged, coloured = [], 0, 0
    start, kinds = time.monotonic(), set()
    for file in files_in(folder, enough=lambda: bool(found)):
        try:
            header = read_header(file)
        except ScanError:
            damaged += 1
            if time.monotonic() - start > _ENOUGH_SECONDS and damaged > len(found):
                break
            continue
        if header is None or not is_image(header):
            damaged += header is not None and lost_its_pixels(header)
            continue
        if not is_grey(header):
            coloured += 1
            continue
        found.append(header)
        kinds.add(header.text("SeriesInstanceUID"))
        if series is None and len(kinds) > 1 and time.monotonic() - start > _ENOUGH_SECONDS:
            break
    if coloured and not found:
        refuse(folder, "holds only colour pictures; give the grey-scale series")
    if damaged and not found:
        refuse(folder, f"holds only damaged DICOM files ({damaged}); copy or export the series again")
    return found, [f"{damaged} damaged DICOM file(s) were left out."] if damaged else []


def _why_no_image(header: Header | None) -> str:
    if header is None:
        return "is not a DICOM file; give the scan's file or its folder"
    if (
        meta_of(header.data, "MediaStorageSOPClassUID") == "1.2.840.10008.1.3.10"
        or header.path.name == "DICOMDIR"
    ):
        return "is a DICOM index without an image; give the folder of the series"
    kind = header.text("Modality")
    return f"holds no image{f' (it is of kind {kind})' if kind else ''}; give the folder of the series"


def _why_nothing(path: Path) -> str:
    if path.is_dir():
        return "holds no DICOM image; give the folder of the series, or the scan's file itself"
    return "holds no image; give the folder of the series"


def _voxels(path: Path, slices: list[Slice]) -> np.ndarray:
    """(columns, rows, slices), rescaled, bright is bright."""
    scaled = any(one.scale != (1.0, 0.0) for one in slices)
    stored = {stored_dtype(one.header) for one in slices}
    whole = not scaled and len(stored) == 1
    dtype = stored.pop().newbyteorder("=") if whole else np.dtype(np.float32)
    rows, columns = slices[0].shape
    claimed_bytes(path, (columns, rows, len(slices)), dtype.itemsize)
    stack = np.zeros((len(slices), rows, columns), dtype)
    pixels = Pixels()
    for number, one in enumerate(slices):
        values = pixels.frame(one.header, one.frame, one.shape)
        slope, intercept = one.scale
        stack[number] = values if whole else values * np.float32(slope) + np.float32(intercept)
    if slices[0].header.text("PhotometricInterpretation") == "MONOCHROME1":
        # High values are dark there: turned over within the range that is there.
        low, high = stack.min(), stack.max()
        stack = (high - (stack - low)).astype(dtype)
    return stack.transpose(2, 1, 0)


def _facts(chosen: Series, slices: list[Slice]) -> dict[str, Any]:
    header = slices[0].header
    facts: dict[str, Any] = {"format": "dicom", "slices": len(slices)}
    facts |= {name: text for name in _FACTS if (text := header.text(name))}
    facts |= slices[0].times
    return {**facts, "series": chosen.key}


def _remarks(chosen: Series) -> list[str]:
    kind = chosen.slices[0].header.text("Modality")
    return [f"The modality is {kind}; the models know MR only."] if kind not in ("", "MR") else []
