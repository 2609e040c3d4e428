"""A file or folder -> Scan or Segmentation, whatever its format."""

from __future__ import annotations

from pathlib import Path

from napari_spineseg.errors import SeveralScansError
from napari_spineseg.io.guard import refuse
from napari_spineseg.io.identity import stem_of
from napari_spineseg.io.labels import segmentation_of
from napari_spineseg.io.metaimage import read_metaimage
from napari_spineseg.io.nifti import read_nifti
from napari_spineseg.io.nrrd import read_nrrd
from napari_spineseg.io.quiet import quiet
from napari_spineseg.io.sequence import guess_sequence
from napari_spineseg.io.sniff import Format, format_of
from napari_spineseg.io.volume import Volume
from napari_spineseg.io.voxels import settle
from napari_spineseg.scan import Scan, Segmentation


def read_volume(path: Path, volume: int | None = None, series: str | None = None) -> Volume:
    """Raw voxels and geometry of any format.

    Raises
    ------
    ScanError
        If the path is no scan, or not one scan: see each format's reader; or if a pick has no meaning there.
    """
    path = Path(path)
    kind = format_of(path)
    _check_pick(path, kind, volume, series)
    try:
        # Damaged headers make numpy warn about what is refused in words a moment later.
        with quiet():
            return _read(path, kind, volume, series)
    except MemoryError as error:
        refuse(path, "needs more memory than there is; close other programs or crop it", error)
    except OSError as error:
        refuse(path, f"cannot be read ({error.strerror or error}); check the disk", error)


def read_only_volume(path: Path) -> Volume:
    """As `read_volume`, for where a person has no option to pick one of several.

    Raises
    ------
    ScanError
        As `read_volume`; of several it says how to get a file of the one that is meant.
    """
    try:
        return read_volume(path)
    except SeveralScansError as error:
        raise error.elsewhere() from error


def _check_pick(path: Path, kind: Format, volume: int | None, series: str | None) -> None:
    """Refuse a pick that would pass unheard, and stand in the record as if it had been made."""
    is_dicom = kind in ("dicom", "folder")
    if series is not None and not is_dicom:
        refuse(path, "is no DICOM, so it has no series; leave --series out")
    if volume and is_dicom:
        refuse(path, f"is DICOM, which has no volume {volume}; pick a series of it with --series")


def _read(path: Path, kind: Format, volume: int | None, series: str | None) -> Volume:
    if kind in ("dicom", "folder"):
        # pydicom takes a third of a second to import; other formats need not pay for it.
        from napari_spineseg.io.dicom import read_dicom

        return read_dicom(path, series)
    if kind == "tiff":
        from napari_spineseg.io.tiff import read_tiff

        return read_tiff(path, volume)
    return {"nifti": read_nifti, "metaimage": read_metaimage, "nrrd": read_nrrd}[kind](path, volume)


def read_scan(path: Path, *, volume: int | None = None, series: str | None = None) -> Scan:
    """Read one MR volume.

    Parameters
    ----------
    path
        A NIfTI, MHA/MHD, NRRD, TIFF or DICOM file, or a DICOM folder.
    volume
        Which volume of a file with several, counted from 0.
    series
        Which series of a DICOM folder with several: its number, description or UID.

    Returns
    -------
    Scan
        Every voxel finite, in the file's own axis order; what a person should know is in
        `warnings`, nothing is printed.

    Raises
    ------
    ScanError
        In one sentence that names the file and what to do.

    Examples
    --------
    >>> read_scan(Path("nowhere.mha"))
    Traceback (most recent call last):
    napari_spineseg.errors.ScanError: nowhere.mha: cannot be opened (No such file ...); check the path.
    """
    path = Path(path)
    return scan_of(read_volume(path, volume, series), path)


def read_only_scan(path: Path) -> Scan:
    """As `read_scan`, for where a person has no option to pick one of several.

    Raises
    ------
    ScanError
        As `read_only_volume`.
    """
    return scan_of(read_only_volume(path), path)


def read_segmentation(path: Path) -> Segmentation:
    """Read a label file in any format; its scheme is recognised from what it holds.

    Raises
    ------
    ScanError
        As `read_scan`, and if a voxel is not a whole number from 0 to 65535.
    """
    path = Path(path)
    return segmentation_of(read_only_volume(path), path)


def scan_of(raw: Volume, path: Path) -> Scan:
    """The scan that a raw volume is."""
    settled = settle(raw, path)
    name = stem_of(path)
    return Scan(
        voxels=settled.voxels,
        affine=settled.affine,
        name=name,
        sequence=guess_sequence(settled.header, name),
        source=path,
        header=settled.header,
        warnings=tuple(settled.warnings),
    )
