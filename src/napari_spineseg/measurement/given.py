"""What there is to measure: a label file, and what the record of `spineseg segment` beside it knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.anatomy import Numbering, Structure, structure_of
from napari_spineseg.errors import ScanError, SeveralScansError
from napari_spineseg.io.guard import refuse, shown
from napari_spineseg.io.labels import may_be_labels, segmentation_of
from napari_spineseg.io.read import read_volume
from napari_spineseg.io.record import CHANGED, Record, place_of_record, read_record
from napari_spineseg.io.volume import Volume
from napari_spineseg.scan import Scan, Segmentation

# Files keep affines in single or double precision: what differs less, mm, is the same place.
_SAME_PLACE = 1e-2


def open_segmentation(path: Path) -> Segmentation:
    """Read what is to be measured, with the numbering, model and warnings that the record beside it tells.

    Raises
    ------
    ScanError
        If it cannot be read, is an image, or holds no number of a level. `structures` are not refused here.
    """
    raw = _read(path)
    if not may_be_labels(raw):
        refuse(
            path,
            "holds an image, not labels; give its segmentation (what `spineseg segment` wrote as "
            "..._seg.nii.gz), and the image itself with --scan",
        )
    found = segmentation_of(raw, path)
    labels = found.found()
    if labels and not any(structure_of(label) is not Structure.BACKGROUND for label in labels):
        refuse(
            path,
            "holds none of the numbers of levels (1 = L5 and upward, 201 = disc L5/S1 and upward), only "
            + ", ".join(map(str, list(labels)[:8])),
        )
    place = place_of_record(path)
    if not os.path.lexists(place):
        return found
    record = read_record(place)
    if record is None:
        words = f"{shown(place)} beside the labels is no record of how they were made, so it was not used."
        return replace(found, warnings=(*found.warnings, words))
    return _informed(found, record, raw, place)


def scan_for(segmentation: Segmentation, scan: Scan) -> Scan:
    """`scan` in the axis order of the segmentation.

    Raises
    ------
    ScanError
        If it lies on another grid.
    """
    turn = scan.grid.to_orientation(tuple(segmentation.grid.orientation))
    if not turn.grid.same_place_as(segmentation.grid, _SAME_PLACE):
        sizes = (" x ".join(map(str, grid.shape)) for grid in (scan.grid, segmentation.grid))
        raise ScanError(
            "the scan {} is not on the grid of these labels ({} against {} voxels, or another place in "
            "space); give the scan that was segmented.".format(scan.name, *sizes)
        )
    return scan.with_voxels(np.ascontiguousarray(turn.apply(scan.voxels)), affine=segmentation.affine)


def _read(path: Path) -> Volume:
    try:
        return read_volume(path)
    except SeveralScansError as error:
        # Those options of `spineseg measure` pick of the scan.
        refuse(path, "holds several volumes; save the labels that are meant as a file of their own", error)


def _informed(found: Segmentation, record: Record, raw: Volume, place: Path) -> Segmentation:
    """`found` with what `record`, read from `place`, knows of it."""
    as_written, noted = record.fits(found), bool(raw.header.get("spineseg"))
    known: dict[str, Any] = {}
    numbering = found.numbering
    if record.numbering is not None:
        numbering = Numbering(record.numbering.lumbar, record.numbering.thoracic)
    if not noted:
        known["numbering"] = numbering
        if as_written and record.settings.scheme in ("levels", "structures"):
            known["scheme"] = record.settings.scheme
    words = list(_misfits(found, record, place, as_written, noted and numbering != found.numbering))
    provenance = {
        **found.provenance,
        "model": record.model.model_dump(),
        "record": place.name,
        CHANGED: not as_written,
    }
    if record.input is not None:
        provenance["segmented_from"] = record.input.model_dump()
    warnings = tuple(dict.fromkeys((*words, *found.warnings, *record.warnings)))
    return replace(found, provenance=provenance, warnings=warnings, **known)


def _misfits(
    found: Segmentation, record: Record, place: Path, as_written: bool, counted_otherwise: bool
) -> Iterator[str]:
    """What the record says otherwise than the file itself, which holds."""
    if not as_written:
        yield record.change(place)
    if counted_otherwise:
        yield (
            f"{shown(place)} counts {record.numbering.lumbar} lumbar and {record.numbering.thoracic} "
            f"thoracic vertebrae, the labels themselves {found.numbering.lumbar} and "
            f"{found.numbering.thoracic}; levels are named after the labels."
        )
