"""Images of one series -> slices in the order of their places, and the affine of the stack."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spineseg.io.dicom_slices import Slice
from napari_spineseg.io.guard import refuse, shown
from napari_spineseg.io.volume import check_affine, lps_affine

_PARALLEL = 1e-3
_SAME_PLACE_MM = 1e-2
# Share of the slice distance: beyond the first a person is told, beyond the second refused.
_UNEVEN_TOLD, _UNEVEN_REFUSED = 0.01, 0.1


def order(path: Path, slices: list[Slice]) -> tuple[list[Slice], np.ndarray, list[str]]:
    """Slices sorted by their places, the affine of (column, row, slice) to RAS mm, and warnings.

    Raises
    ------
    ScanError
        If they are no stack: different sizes or directions, all at one place, doubled, missing
        or far from even.
    """
    first = slices[0]
    if len({one.shape for one in slices}) > 1:
        refuse(path, "holds images of different size in one series; give the folder of one stack")
    if len(slices) > 1 and not all(one.placed for one in slices):
        refuse(path, "holds images that do not say where they lie; export it again")
    spacing, notes = _pixel_spacing(path, slices)
    if not first.placed:
        notes.append("The file does not say where the slice lies; the axes L, P, S are assumed.")
        first.position, first.rows, first.columns = np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    _check_directions(path, slices)
    normal = np.cross(first.rows, first.columns)
    slices = sorted(slices, key=lambda one: float(one.position @ normal))
    if len(slices) == 1:
        step = normal * (first.thickness or 1.0)
        if not first.thickness:
            notes.append("The file gives no slice spacing; 1 mm is assumed.")
    else:
        step, more = _step(path, slices, normal)
        notes += more
    thickness = float(np.linalg.norm(step))
    directions = np.column_stack([slices[0].rows, slices[0].columns, step / thickness])
    affine = lps_affine(directions, (spacing[1], spacing[0], thickness), slices[0].position)
    check_affine(path, affine)
    return slices, affine, notes


def _pixel_spacing(path: Path, slices: list[Slice]) -> tuple[tuple[float, float], list[str]]:
    first = slices[0].spacing
    if first is None:
        return (1.0, 1.0), ["The header gives no pixel spacing; 1 mm is assumed."]
    if min(first) <= 0:
        refuse(path, f"has a pixel spacing of {min(first):g} mm in its header; export it again")
    if any(one.spacing is None or not np.allclose(one.spacing, first, rtol=1e-3) for one in slices):
        refuse(path, "holds images of different pixel spacing in one series; give the folder of one stack")
    return first, []


def _check_directions(path: Path, slices: list[Slice]) -> None:
    first = slices[0]
    lengths = (np.linalg.norm(first.rows), np.linalg.norm(first.columns), abs(first.rows @ first.columns))
    if not np.allclose(lengths, (1, 1, 0), atol=1e-2):
        refuse(path, "has a damaged orientation (its axes are not at right angles); export it again")
    for one in slices:
        if (
            max(np.abs(one.rows - first.rows).max(), np.abs(one.columns - first.columns).max())
            > _PARALLEL * 10
        ):
            refuse(
                path, "holds slices in different directions, as a localiser does; give one stack of slices"
            )


def _step(path: Path, slices: list[Slice], normal: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The vector from a slice to the next."""
    places = np.array([one.position for one in slices])
    along = places @ normal
    gaps = np.diff(along)
    if along[-1] - along[0] < _SAME_PLACE_MM:
        refuse(path, f"has all its {len(slices)} slices at one place; give one stack of slices")
    if gaps.min() < _SAME_PLACE_MM:
        twice = slices[int(np.argmin(gaps))].header.path
        refuse(path, f"holds two different slices at the same place (one is {shown(twice)}); remove one")
    step = (places[-1] - places[0]) / (len(slices) - 1)
    _check_even(path, gaps)
    notes = []
    uneven = np.abs(gaps / np.median(gaps) - 1).max()
    if uneven > _UNEVEN_TOLD:
        notes.append(f"Slices are not quite evenly spaced ({gaps.min():.2f} to {gaps.max():.2f} mm).")
    straight = places[0] + np.arange(len(slices))[:, None] * step
    astray = np.linalg.norm(places - straight, axis=1).max()
    if astray > max(1.0, np.median(gaps)):
        refuse(path, f"has slices up to {astray:.1f} mm beside a straight stack; export it again")
    if abs(step @ normal) / np.linalg.norm(step) < 1 - 1e-4:
        notes.append("The stack is slanted: its slices are shifted against one another.")
    return step, notes


def _check_even(path: Path, gaps: np.ndarray) -> None:
    middle = float(np.median(gaps))
    relative = gaps / middle
    worst = int(np.argmax(np.abs(relative - 1)))
    if abs(relative[worst] - 1) <= _UNEVEN_REFUSED:
        return
    if relative[worst] > 1.5 and abs(relative[worst] - round(relative[worst])) < _UNEVEN_REFUSED:
        missing = round(relative[worst]) - 1
        refuse(path, f"lacks {missing} slice(s) after slice {worst + 1}; export the whole series")
    refuse(
        path,
        f"has unevenly spaced slices ({gaps.min():.2f} to {gaps.max():.2f} mm apart); "
        "export an even stack or resample it",
    )
