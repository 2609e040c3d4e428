"""Slices of labelled scans as the published release has them: pairs of PNG files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.datasets.cases import Case
from napari_spineseg.datasets.png_release import GREY_OF
from napari_spineseg.errors import DatasetError, OutputError
from napari_spineseg.preprocessing.apta import apta, damaged_masks
from napari_spineseg.preprocessing.direct_map import direct_map
from napari_spineseg.preprocessing.published_slices import PublishedSlices
from napari_spineseg.preprocessing.slice_filters import THRESHOLDS, Reading, SliceFilter
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation


class ExportSettings(BaseModel):
    """How slices are exported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: Literal["direct", "apta"] = Field(
        "direct",
        title="Labels",
        description="direct: SPIDER's numbers mapped straight; apta: damaged and repaired as published",
    )
    filter: Literal["none", "classes", "published"] = Field(
        "classes",
        title="Filter",
        description="none: every slice; classes: those with all four classes; published: and not over the "
        "published imbalance ratio of the sequence",
    )
    reading: Reading = Field(
        "journal", title="Reading", description="Which printed form of the imbalance ratio counts"
    )
    height_px: int = Field(640, ge=16, le=4096, title="Height (pixels)", description="Rows of a slice")
    width_px: int = Field(512, ge=16, le=4096, title="Width (pixels)", description="Columns of a slice")


def export_slices(
    cases: Sequence[Case],
    out: Path,
    settings: ExportSettings,
    control: Control = Control(),
    told: Callable[[Case, int, int], object] = lambda case, kept, slices: None,
) -> list[Path]:
    """Write `out/images/<patient>_<sequence>_slice<n>.png` and the mask of the same name in `out/masks`.

    Masks: 76 vertebra, 29 disc, 150 canal, 0 the rest. n counts sagittal slices from the left.

    Parameters
    ----------
    told
        Is told of each case how many of its slices the filter kept, and how many there are.

    Returns
    -------
    The images that were written.

    Raises
    ------
    DatasetError
        If a case has no image, its labels are not on the image's grid, or two cases share a name.
    OutputError
        If slices of that name are there already, or the disk refuses.
    """
    written = []
    _check_names(cases, out / "images")
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for done, case in enumerate(cases, start=1):
        images, masks = slices_of(case, settings)
        kept = np.flatnonzero(filter_for(case, settings).keeps(masks))
        told(case, len(kept), len(masks))
        for index in kept:
            name = f"{_stem(case)}_slice{index}.png"
            _write(masks_to_grey(masks[index]), out / "masks" / name)
            _write(images[index], out / "images" / name)
            written.append(out / "images" / name)
        control.step("Exporting slices", done, len(cases))
    return written


def _check_names(cases: Sequence[Case], folder: Path) -> None:
    """Refuse, before anything is written, what would make one scan of two, or add to an earlier export."""
    first: dict[str, Case] = {}
    for case in cases:
        stem = _stem(case)
        other = first.setdefault(stem, case)
        if other is not case:
            raise DatasetError(
                f"{other.labels} and {case.labels} would both be exported as {stem}_slice0.png and so on "
                "(patient and sequence); export them from folders of their own."
            )
        if there := next(folder.glob(f"{stem}_slice*.png"), None):
            raise OutputError(f"{there} is there already; choose another folder.")


def _stem(case: Case) -> str:
    return f"{_safe(case.patient)}_{_safe(case.sequence or 'mr')}"


def slices_of(case: Case, settings: ExportSettings) -> tuple[np.ndarray, np.ndarray]:
    """Images and structures of a case, both (slices, height, width) uint8.

    Raises
    ------
    DatasetError
        If there is no image, or the labels are not on its grid.
    """
    scan, segmentation = case.read_scan(), case.read_labels()
    if scan is None:
        raise DatasetError(f"{case.name} has labels but no image, so there is nothing to export.")
    if not scan.grid.same_place_as(segmentation.grid, 0.05):
        raise DatasetError(f"{case.name}: the labels are not on the image's grid; `dataset audit` says more.")
    return _images(scan, settings), _masks(segmentation, settings)


def _images(scan: Scan, settings: ExportSettings) -> np.ndarray:
    return PublishedSlices(height_px=settings.height_px, width_px=settings.width_px)(scan).voxels


def _masks(segmentation: Segmentation, settings: ExportSettings) -> np.ndarray:
    levels = np.ascontiguousarray(segmentation.grid.to_orientation().apply(segmentation.labels))
    if segmentation.scheme == "structures":
        # What SPIDER would have called them: no level is known, and none is needed.
        levels = np.array([0, 1, 201, 100, 0], np.uint16)[np.minimum(levels, 4)]
    if settings.labels == "apta":
        return apta(damaged_masks(levels, settings.height_px, settings.width_px))
    return direct_map(levels, settings.height_px, settings.width_px)


def filter_for(case: Case, settings: ExportSettings) -> SliceFilter:
    """Which slices of a case `settings` keep: the published threshold depends on its sequence."""
    if settings.filter == "none":
        return SliceFilter(classes=1)
    threshold = None
    if settings.filter == "published":
        sequence = case.sequence.upper().replace("_", " ").replace("-", " ")
        threshold = THRESHOLDS.get(sequence, THRESHOLDS["T2"])
    return SliceFilter(threshold=threshold, reading=settings.reading)


def why_none(settings: ExportSettings) -> str:
    """Why a filter may have kept no slice at all, in one sentence."""
    if settings.filter == "published" and settings.reading == "preprint":
        return (
            "the preprint's ratio, the largest class share over the smallest, is never below 1, and the "
            "published thresholds are; --reading journal has the other one"
        )
    if settings.filter == "none":
        return "none holds a label"
    missing = "none holds vertebra, disc, canal and background at once"
    return missing if settings.filter == "classes" else f"{missing} without being over the published ratio"


def masks_to_grey(structures: np.ndarray) -> np.ndarray:
    """Structures as the release's greys, uint8."""
    table = np.zeros(256, np.uint8)
    for structure, grey in GREY_OF.items():
        table[structure] = grey
    return table[structures]


def _safe(name: str) -> str:
    """A part of a file name, whatever a patient is called."""
    return re.sub(r"[^\w]+", "-", name) or "unknown"


def _write(picture: np.ndarray, path: Path) -> None:
    try:
        Image.fromarray(np.ascontiguousarray(picture)).save(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None
