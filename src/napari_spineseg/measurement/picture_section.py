"""The section that a picture of a spine shows: one sagittal slice, or a surface that bends along the spine.

Coordinates are millimetres along the axes of the sagittal view (`grid.SAGITTAL`): `side` to the right,
`row` downward, `column` to the back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.grid import Grid
from napari_spineseg.instances.blocks import Blocks, to_blocks
from napari_spineseg.instances.curve import smooth_curve
from napari_spineseg.scan import Scan, Segmentation

# Less canal than this, mm of rows, is no guide to the middle.
_LEAST_CANAL = 20.0
_BANDWIDTH = 20.0
# A body is 30 to 40 mm deep; what lies further in front of the canal is no part of the column.
_REACH_IN_FRONT = 50.0
# More than 45 degrees of axial rotation is no spine's.
_STEEPEST = 1.0
# Of a slice's thickness: a spine that leaves the slice by less is shown in it.
_STRAIGHT = 0.75
_ABOVE_AND_BELOW, _IN_FRONT, _BEHIND = 8.0, 22.0, 8.0


@dataclass(frozen=True, eq=False)
class Ribbon:
    """A surface through the canal and the bodies, given row by row.

    Attributes
    ----------
    row
        (n,) mm, growing.
    side, column
        (n,) mm, where the surface crosses the row: in the canal, where there is one.
    slope
        (n,) mm to the right a millimetre to the back, in front of `column`; behind it the surface goes
        straight back.
    """

    row: np.ndarray
    side: np.ndarray
    column: np.ndarray
    slope: np.ndarray

    @property
    def along(self) -> np.ndarray:
        """(n,) arc length down the surface, mm."""
        steps = np.hypot(np.diff(self.row), np.diff(self.side))
        return np.concatenate([[0.0], np.cumsum(steps)])

    def flattened(self, slice_mm: float) -> float | None:
        """The `side` of the one slice that the surface keeps to; None where it does not."""
        ends = np.stack([self.side, self.side - self.slope * 0.75 * _REACH_IN_FRONT])
        middle = (ends.min() + ends.max()) / 2
        return float(middle) if ends.max() - middle <= _STRAIGHT * slice_mm else None


@dataclass(frozen=True, eq=False)
class Section:
    """A picture of a segmentation along its ribbon, in true proportions.

    Attributes
    ----------
    labels
        (height, width) uint16.
    image
        (height, width) float32 of the scan; None without one.
    pixels_per_mm
        Along both axes.
    words
        Which section it is.
    """

    labels: np.ndarray
    image: np.ndarray | None
    pixels_per_mm: float
    words: str
    _grid: Grid
    _ribbon: Ribbon
    _corner: tuple[float, float]

    def place(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) x and y in pixels of (n, 3) places in RAS mm, projected from either side."""
        turned = np.linalg.inv(self._grid.affine)
        row_column = (points @ turned[:3, :3].T + turned[:3, 3])[:, 1:] * self._grid.spacing[1:]
        ribbon, row = self._ribbon, row_column[:, 0]
        along = _along(ribbon, row)
        pivot = np.interp(row, ribbon.row, ribbon.column)
        stretch = np.hypot(1, np.interp(row, ribbon.row, ribbon.slope))
        behind = row_column[:, 1] - pivot
        across = pivot + np.where(behind < 0, behind * stretch, behind)
        return (np.stack([across, along], 1) - self._corner) * self.pixels_per_mm


def section_of(segmentation: Segmentation, scan: Scan | None, height_px: int = 1200) -> Section | None:
    """Cut a segmentation, and its scan on the same grid, along the spine; None where there is no label."""
    turn = segmentation.grid.to_orientation()
    labels, grid = turn.apply(segmentation.labels), turn.grid
    ribbon = trace(labels, grid.spacing)
    if ribbon is None:
        return None
    one_slice = ribbon.flattened(grid.spacing[0])
    words = "along the spine, through the middle of the canal and the bodies; straightened from side to side"
    if one_slice is not None:
        number = int(np.clip(round(one_slice / grid.spacing[0]), 0, len(labels) - 1))
        flat = np.zeros_like(ribbon.row)
        ribbon = Ribbon(ribbon.row, flat + number * grid.spacing[0], ribbon.column, flat)
        words = f"slice {number + 1} of {len(labels)}, counted from the left"
    corner, size = _frame(labels, grid, ribbon)
    scale = float(np.clip(height_px / size[0], 1, 8))
    where = _sampled(grid, ribbon, corner, size, scale)
    cut = _sample(labels, where, 0).astype(np.uint16)
    image = None if scan is None else _sample(turn.apply(scan.voxels), where, 1)
    return Section(cut, image, scale, words, grid, ribbon, corner)


def trace(labels: np.ndarray, spacing: tuple[float, float, float]) -> Ribbon | None:
    """The surface through the middle of (slices, rows, columns) labels; None where there are none."""
    blocks = to_blocks(levels_to_structures(labels), spacing)
    solid = blocks.bone.astype(np.float32) + blocks.disc
    row = _axis(blocks, 1)
    if solid.any() and (blocks.canal.any((0, 2)).sum() * blocks.spacing[1]) >= _LEAST_CANAL:
        side, column = _middle(blocks, blocks.canal)
        gap = column[:, None] - _axis(blocks, 2)[None]
        solid *= ((gap > 0) & (gap < _REACH_IN_FRONT))[None]
        if not solid.any():
            return Ribbon(row, side, column, np.zeros_like(row))
        body_side, body_column = _middle(blocks, solid)
        slope = (side - body_side) / np.maximum(column - body_column, 5.0)
        return Ribbon(row, side, column, np.clip(slope, -_STEEPEST, _STEEPEST))
    everything = blocks.disc if blocks.disc.any() else solid + blocks.canal
    if not everything.any():
        return None
    return Ribbon(row, *_middle(blocks, everything), np.zeros_like(row))


def _middle(blocks: Blocks, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth (rows,) side and column of the middle of what is counted, mm."""
    row = _axis(blocks, 1)
    weight = counts.sum((0, 2), dtype=np.float32)
    used = weight > 0
    middles = []
    for axis, others in ((0, 2), (2, 0)):
        profile = counts.sum(others, dtype=np.float32)
        profile = profile if axis == 0 else profile.T
        values = (_axis(blocks, axis)[:, None] * profile).sum(0)[used] / weight[used]
        middles.append(smooth_curve(row, row[used], values, weight[used], _BANDWIDTH))
    return middles[0], middles[1]


def _axis(blocks: Blocks, axis: int) -> np.ndarray:
    """Middles of blocks along an axis, mm from the middle of the first voxel."""
    step, factor = blocks.spacing[axis], blocks.factors[axis]
    size = blocks.bone.shape[axis]
    return np.arange(size) * step + (factor - 1) / 2 * step / factor


def _frame(labels: np.ndarray, grid: Grid, ribbon: Ribbon) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the picture begins, (across, along) mm, and its height and width in mm: the labels and a rim."""
    _, height, width = grid.shape
    spine = np.flatnonzero(labels.any((0, 2))) * grid.spacing[1]
    lowest, highest = -grid.spacing[1] / 2, (height - 0.5) * grid.spacing[1]
    rows = np.clip((spine[0] - _ABOVE_AND_BELOW, spine[-1] + _ABOVE_AND_BELOW), lowest, highest)
    top, bottom = _along(ribbon, rows)
    whole = (0.0, top), (bottom - top, width * grid.spacing[2])
    cut = _sample(labels, _sampled(grid, ribbon, *whole, 0.5), 0)
    used = np.flatnonzero(cut.any(0)) * 2.0
    if not used.size:  # the middle of a lopsided segmentation may be empty
        return whole
    left, right = np.clip((used[0] - _IN_FRONT, used[-1] + _BEHIND), 0, whole[1][1])
    return (float(left), float(top)), (float(bottom - top), float(max(right - left, 20.0)))


def _along(ribbon: Ribbon, rows: np.ndarray) -> np.ndarray:
    """Arc length at rows, mm, going on straight beyond the ribbon's ends."""
    along = np.interp(rows, ribbon.row, ribbon.along)
    return along + np.minimum(rows - ribbon.row[0], 0) + np.maximum(rows - ribbon.row[-1], 0)


def _sampled(
    grid: Grid, ribbon: Ribbon, corner: tuple[float, float], size: tuple[float, float], scale: float
) -> np.ndarray:
    """(3, height, width) indices into the turned array of a picture's pixels."""
    along = corner[1] + (np.arange(max(1, round(size[0] * scale))) + 0.5) / scale
    across = corner[0] + (np.arange(max(1, round(size[1] * scale))) + 0.5) / scale
    row, side, pivot, slope = (
        np.interp(along, ribbon.along, values)[:, None]
        for values in (ribbon.row, ribbon.side, ribbon.column, ribbon.slope)
    )
    row = row + (np.minimum(along - ribbon.along[0], 0) + np.maximum(along - ribbon.along[-1], 0))[:, None]
    behind = across[None] - pivot
    slope = np.where(behind < 0, slope, 0)
    behind = behind / np.hypot(1, slope)
    # Where the spine leaves the scan to a side, its last slice is shown rather than nothing.
    across_mm = np.clip(side + behind * slope, 0, (grid.shape[0] - 1) * grid.spacing[0])
    places = np.broadcast_arrays(across_mm, row, pivot + behind)
    return np.stack(places) / np.asarray(grid.spacing)[:, None, None]


def _sample(array: np.ndarray, where: np.ndarray, order: int) -> np.ndarray:
    """Voxels at indices: the nearest, or mixed linearly; 0 outside of the array.

    Half a voxel beyond the outermost centres is inside still.
    """
    ends = np.array(array.shape)[:, None, None] - 1
    outside = ((where < -0.5) | (where > ends + 0.5)).any(0)
    inside = np.clip(where, 0, ends)
    low = np.floor(inside.min((1, 2))).astype(int)
    high = np.ceil(inside.max((1, 2))).astype(int) + 1
    box = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    inside = inside - low[:, None, None]
    if order == 0:
        cut = box[tuple(np.rint(inside).astype(int))]
    else:
        cut = map_coordinates(box.astype(np.float32), inside, order=1)
    return np.where(outside, 0, cut)
