"""Which files hold labels, and what their numbers mean."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import (
    CANAL_LABEL,
    FIRST_DISC_LABEL,
    FIRST_TUMOUR_LABEL,
    MOST_LEVELS,
    Numbering,
    Scheme,
    Structure,
    structure_of,
)
from napari_spineseg.anatomy_maps import PARTLY_VISIBLE, merge_partly_visible, recognise, translate
from napari_spineseg.grid import Grid
from napari_spineseg.io.guard import refuse
from napari_spineseg.io.identity import stem_of
from napari_spineseg.io.volume import Volume
from napari_spineseg.scan import Segmentation, count_labels

_LABEL_WORDS = re.compile(r"(^|[^a-z])(seg|segmentation|labels?|levels?|masks?|structures|dseg)([^a-z]|$)")
# A label file has tens of numbers, an image hundreds of grey values.
_MOST_LABELS = 120
# So few that a name is enough.
_FEW_LABELS = 40
# Neighbouring voxels of a label map are equal but at the borders. Images have noise.
_LEAST_FLAT = 0.75


def segmentation_of(raw: Volume, path: Path) -> Segmentation:
    """The segmentation that a raw volume is.

    What our writer left in the header is believed first; then numberings that can only be
    TotalSpineSeg's or SPINEPS's are translated; the rest is SPIDER's `levels`, or `structures`.

    Raises
    ------
    ScanError
        If a voxel is not a whole number from 0 to 65535.
    """
    labels, warnings = whole_numbers(raw, path), list(raw.warnings)
    if raw.voxels.dtype.kind == "f" and (unknown := np.count_nonzero(np.isnan(raw.voxels))):
        warnings.append(f"{unknown} voxels are not numbers (NaN) and were taken for background.")
    values = set(count_labels(labels))
    note = raw.header.get("spineseg") or {}
    name = stem_of(path)
    provenance: dict[str, object] = {"source": str(path)}
    numbering = Numbering()
    if note.get("kind") == "labels" and note.get("scheme") in ("levels", "structures"):
        scheme: Scheme = note["scheme"]
        numbering = Numbering(int(note.get("lumbar", 5)), int(note.get("thoracic", 12)))
    elif (foreign := recognise(values)) is not None:
        labels, numbering = translate(labels, values, foreign)
        values = set(count_labels(labels))
        scheme = foreign.scheme
        provenance["translated_from"] = foreign.title
        warnings.append(f"The numbers are {foreign.title}'s and were translated; the sacrum is left out.")
    else:
        scheme = guess_scheme(labels, raw.affine, name)
        partial = sorted(v - 100 for v in values if v in PARTLY_VISIBLE)
        if scheme == "levels" and partial:
            labels = merge_partly_visible(labels)
            values = {v - 100 if v in PARTLY_VISIBLE else v for v in values}
            provenance["partly_visible"] = partial
            seen = ", ".join(numbering.vertebra(n) for n in partial)
            warnings.append(f"Vertebrae at the edge of the image are only partly visible: {seen}.")
    strays = _strays(values, scheme)
    if strays:
        warnings.append(_about_strays(strays, scheme))
    return Segmentation(labels, raw.affine, name, scheme, numbering, provenance, tuple(warnings))


def whole_numbers(raw: Volume, path: Path) -> np.ndarray:
    """Voxels as uint16.

    Raises
    ------
    ScanError
        If that would change one of them.
    """
    voxels = raw.voxels
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels, nan=0.0)
        if not np.array_equal(voxels, np.rint(voxels)):
            refuse(path, "is not a label file: some voxels are not whole numbers")
    if voxels.min() < 0 or voxels.max() > 65535:
        refuse(path, "is not a label file: labels are whole numbers from 0 to 65535")
    return voxels.astype(np.uint16)


def is_label_file(raw: Volume, path: Path) -> bool:
    """Whether a volume looks like labels rather than an image.

    An 8-bit image has whole numbers too: labels also have few numbers and flat regions, and
    either a name that says so or numbers that are somebody's scheme.
    """
    note = raw.header.get("spineseg") or {}
    if note:
        return note.get("kind") == "labels"
    try:
        values = _few_values(raw.voxels)
    except ValueError:
        return False
    named = bool(_LABEL_WORDS.search(stem_of(path).lower()))
    if named and 0 < len(values) <= _FEW_LABELS:
        return True
    if not values or not _flat(raw.voxels):
        return False
    if named:
        return True
    spider = all(structure_of(v) is not Structure.BACKGROUND or 101 <= v <= 125 for v in values)
    anatomical = spider and any(v == 100 or 201 <= v <= 225 for v in values) and any(v < 26 for v in values)
    # Bodies numbered from 1 upward, structures, or a mask: on mostly empty ground.
    counted = values == set(range(1, len(values) + 1)) and max(values) < 26
    counted = counted and np.count_nonzero(raw.voxels) < raw.voxels.size / 2
    return anatomical or counted or recognise(values) is not None


def may_be_labels(raw: Volume) -> bool:
    """Whether what a person calls labels can be that: a few whole numbers in flat regions, or nothing at all.

    Asks less than `is_label_file`, which nobody has told.
    """
    if note := raw.header.get("spineseg") or {}:
        return note.get("kind") == "labels"
    voxels = raw.voxels
    if voxels.dtype.kind == "f" and np.isnan(voxels).any():
        voxels = np.nan_to_num(voxels, nan=0.0)
    try:
        values = _few_values(voxels)
    except ValueError:
        return False
    return not values or bool(_flat(voxels))


def is_surely_an_image(raw: Volume) -> bool:
    """Whether a volume has more grey values than labels ever have, or says of itself that it is a scan.

    Asks less than `may_be_labels`: labels may be as rough as they like.
    """
    if note := raw.header.get("spineseg") or {}:
        return note.get("kind") != "labels"
    return len(np.unique(raw.voxels)) > _MOST_LABELS


def _few_values(voxels: np.ndarray) -> set[int]:
    """The numbers of a label map, background left out.

    Raises
    ------
    ValueError
        If there are too many, or one is no label.
    """
    # A look at a part settles most images without sorting all of them.
    for part in (voxels[:: max(1, voxels.shape[0] // 4), ::4, ::4], voxels):
        found = np.unique(part)
        if len(found) > _MOST_LABELS or not np.array_equal(found, np.rint(found)):
            raise ValueError("an image")
    if found[0] < 0 or found[-1] > 65535:
        raise ValueError("an image")
    return {int(v) for v in found if v}


def _flat(voxels: np.ndarray) -> bool:
    """Whether nearly all neighbours are equal, and background is there."""
    same = [np.mean(np.diff(voxels, axis=axis) == 0) for axis in range(3) if voxels.shape[axis] > 7]
    return bool(same) and min(same) > _LEAST_FLAT and bool((voxels == 0).any())


def guess_scheme(labels: np.ndarray, affine: np.ndarray, name: str) -> Scheme:
    """`levels` unless the numbers are 1 to 4 and lie as structures do, side by side."""
    values = set(count_labels(labels))
    if values - {1, 2, 3, 4} or "level" in name.lower():
        return "levels"
    return "levels" if len(values) > 1 and _stacked(labels, affine, values) else "structures"


def _stacked(labels: np.ndarray, affine: np.ndarray, values: set[int]) -> bool:
    """Whether labels lie above one another, as vertebrae do and vertebra, disc and canal do not."""
    rows = Grid(labels.shape, affine).to_orientation().apply(labels)
    spans = []
    for value in sorted(values):
        inside = np.flatnonzero((rows == value).any(axis=(0, 2)))
        spans.append((inside[0], inside[-1] + 1))
    for (low, high), (other_low, other_high) in pairwise(spans):
        overlap = min(high, other_high) - max(low, other_low)
        if overlap > 0.6 * min(high - low, other_high - other_low):
            return False
    return True


def _strays(values: set[int], scheme: Scheme) -> list[int]:
    if scheme == "structures":
        return sorted(values - {1, 2, 3, 4})
    return sorted(v for v in values if structure_of(v) is Structure.BACKGROUND)


def _about_strays(strays: list[int], scheme: Scheme) -> str:
    some = ", ".join(map(str, strays[:8])) + (", …" if len(strays) > 8 else "")
    if scheme == "structures":
        return f"Numbers outside the structures scheme were kept: {some}."
    return (
        f"Numbers outside the levels scheme were kept: {some}; they name no level and count as nothing "
        f"(1 to {MOST_LEVELS} are vertebrae, {CANAL_LABEL} is the canal, {FIRST_DISC_LABEL} to "
        f"{FIRST_DISC_LABEL + MOST_LEVELS - 1} are discs, {FIRST_TUMOUR_LABEL} and up tumours)."
    )
