"""The spine from the front, as a radiograph shows it: for the angle that no sagittal picture can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, Structure, levels_to_structures
from napari_spineseg.grid import Grid
from napari_spineseg.scan import Segmentation

_RIM = 8.0
# A body is 30 to 40 mm deep: what is further behind the front of the column is an arch.
_DEPTH = 40.0


@dataclass(frozen=True, eq=False)
class FrontView:
    """Bodies and discs seen from the front, the patient's right on the left, in true proportions.

    Attributes
    ----------
    labels
        (height, width) uint16, the foremost label behind each pixel.
    pixels_per_mm
        Along both axes.
    """

    labels: np.ndarray
    pixels_per_mm: float
    _grid: Grid
    _corner: tuple[float, float]

    @property
    def image(self) -> None:
        """A scan's voxels one behind another make no picture; a `Section` has one."""
        return

    def place(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) x and y in pixels of (n, 3) places in RAS mm."""
        turned = np.linalg.inv(self._grid.affine)
        index = points @ turned[:3, :3].T + turned[:3, 3]
        side, row = (index[:, axis] * self._grid.spacing[axis] for axis in (0, 1))
        return np.stack([self._corner[0] - side, row - self._corner[1]], 1) * self.pixels_per_mm


def front_view(segmentation: Segmentation, height_px: int = 1200) -> FrontView | None:
    """Look at a segmentation from the front; None where there is neither vertebra nor disc."""
    turn = segmentation.grid.to_orientation()
    labels, grid = turn.apply(segmentation.labels), turn.grid
    flat = _foremost(labels, grid.spacing[2])
    if not flat.any():
        return None
    (side_mm, row_mm), ends = grid.spacing[:2], []
    for axis, step, rim in ((0, side_mm, _RIM), (1, row_mm, _RIM)):
        used = np.flatnonzero(flat.any(1 - axis))
        ends.append(((used[0] - 0.5) * step - rim, (used[-1] + 0.5) * step + rim))
    (left, right), (top, bottom) = ends
    scale = float(np.clip(height_px / (bottom - top), 1, 8))
    rows = top + (np.arange(round((bottom - top) * scale)) + 0.5) / scale
    sides = right - (np.arange(round((right - left) * scale)) + 0.5) / scale
    return FrontView(_nearest(flat, sides / side_mm, rows / row_mm), scale, grid, (right, top))


def _foremost(labels: np.ndarray, column_mm: float) -> np.ndarray:
    """(slices, rows) of the (slices, rows, columns) labels: the first of a vertebra or disc from the front.

    Arches behind the canal, and beside it, are left out: they would hide the ends of the discs.
    """
    kinds = levels_to_structures(labels)
    solid = (kinds == Structure.VERTEBRA) | (kinds == Structure.DISC)
    column = np.arange(labels.shape[2])
    fronts = np.where(solid.any((0, 2)), solid.any(0).argmax(1), labels.shape[2])
    solid &= (column[None] < fronts[:, None] + _DEPTH / column_mm)[None]
    canal = (labels == CANAL_LABEL).any(0)
    begins = np.where(canal.any(1), canal.argmax(1), labels.shape[2])
    solid &= (column[None] < begins[:, None])[None]
    first = solid.argmax(2)
    found = np.take_along_axis(labels, first[..., None], 2)[..., 0]
    return np.where(solid.any(2), found, 0).astype(np.uint16)


def _nearest(flat: np.ndarray, sides: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(rows, sides) of an array at fractional places; 0 outside of it."""
    side, row = np.rint(sides).astype(int), np.rint(rows).astype(int)
    inside = (side >= 0) & (side < flat.shape[0]), (row >= 0) & (row < flat.shape[1])
    cut = flat[np.ix_(np.clip(side, 0, flat.shape[0] - 1), np.clip(row, 0, flat.shape[1] - 1))].T
    return np.where(inside[1][:, None] & inside[0][None], cut, 0)
