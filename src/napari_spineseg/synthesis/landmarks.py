"""Where things lie in a label volume: curves along the rows that tissues are painted by.

Arrays are in sagittal orientation, (slices, height, width): rows downward, columns to the back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Structure


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Curves along the rows that the painting hangs on, in mm; one value a row, all finite."""

    centre: np.ndarray
    """Slice position of the canal."""
    front: np.ndarray
    """Anterior edge of the bodies."""
    wall: np.ndarray
    """Posterior wall of the bodies."""
    canal_back: np.ndarray
    """Posterior edge of the canal."""
    tips: np.ndarray
    """How far back the spinous processes reach."""


def find_landmarks(structures: np.ndarray, spacing: tuple[float, float, float]) -> Landmarks:
    """Read the curves off a (slices, height, width) volume of `Structure` that has a canal; spacing in mm."""
    canal = structures == Structure.CANAL
    column = (structures == Structure.VERTEBRA) | (structures == Structure.DISC)
    middle = np.flatnonzero(canal.any((1, 2)))
    middle = slice(int(np.percentile(middle, 35)), int(np.percentile(middle, 65)) + 1)
    rows = structures.shape[1]

    def edge(mask: np.ndarray, last: bool) -> np.ndarray:
        flat = mask.any(0)
        columns = flat.shape[1] - 1 - flat[:, ::-1].argmax(1) if last else flat.argmax(1)
        return np.where(flat.any(1), columns * spacing[2], np.nan)

    slices = np.arange(len(structures))[:, None]
    weight = canal.sum(2)
    total = weight.sum(0)
    centre = np.where(total > 0, (weight * slices).sum(0) / np.maximum(total, 1) * spacing[0], np.nan)
    tips = edge(column, last=True)
    tips = ndimage.maximum_filter1d(np.nan_to_num(tips, nan=-1.0), max(3, round(60 / spacing[1])))
    return Landmarks(
        centre=_filled(centre, rows, spacing[1], 30),
        front=_filled(edge(column[middle], last=False), rows, spacing[1], 12),
        wall=_filled(edge(canal[middle], last=False), rows, spacing[1], 6),
        canal_back=_filled(edge(canal[middle], last=True), rows, spacing[1], 6),
        tips=_filled(np.where(tips < 0, np.nan, tips), rows, spacing[1], 30),
    )


def _filled(curve: np.ndarray, rows: int, row_mm: float, smooth_mm: float) -> np.ndarray:
    """Interpolate gaps, go on with the mean slope of the last 30 mm at both ends, then smooth."""
    known = np.flatnonzero(np.isfinite(curve))
    full = np.interp(np.arange(rows), known, curve[known])
    reach = max(2, round(30 / row_mm))
    for end, inner in ((known[0], known[0] + reach), (known[-1], known[-1] - reach)):
        inner = int(np.clip(inner, known[0], known[-1]))
        if inner == end:
            continue
        slope = np.clip((full[end] - full[inner]) / (end - inner), -0.8, 0.8)
        outside = np.arange(rows) < end if inner > end else np.arange(rows) > end
        full[outside] = full[end] + slope * (np.arange(rows)[outside] - end)
    return ndimage.gaussian_filter1d(full, smooth_mm / row_mm)


def coordinates(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], marks: Landmarks
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x: mm to the right of the canal, (slices, rows, 1); y: mm downward; z: mm to the back."""
    x = (np.arange(shape[0]) * spacing[0])[:, None, None] - marks.centre[None, :, None]
    y = (np.arange(shape[1]) * spacing[1])[None, :, None]
    z = (np.arange(shape[2]) * spacing[2])[None, None, :]
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)
