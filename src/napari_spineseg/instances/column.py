"""The column's centre line, and where every voxel is relative to it.

Coordinates are those of a spine, not of a scanner: `along` runs down the centre line (arc
length, mm), `behind` is the distance to its back (mm, negative in front), `beside` the distance
to its right (mm). All later steps speak in these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_spineseg.instances.blocks import Blocks
from napari_spineseg.instances.curve import row_medians, smooth_curve

_CANAL_BANDWIDTH = 12.0
_COLUMN_BANDWIDTH = 14.0
# Less canal than this, mm of rows, is no guide.
_LEAST_CANAL = 20.0
# A lumbar body is 30 to 40 mm deep and the canal 15 mm: what is further in front is not the column.
_REACH_IN_FRONT = 60.0
_HALF_DEPTH = 20.0
_HALF_WIDTH = 14.0
# How far the line goes on, straight, beyond what is painted.
_BEYOND = 25.0


@dataclass(frozen=True, eq=False)
class Column:
    """A centre line through bodies and discs.

    Attributes
    ----------
    points
        (n, 3) mm, one a millimetre of arc length, from the top down: (slice, row, column) order.
    spacing
        Of the array it was traced in, mm.
    """

    points: np.ndarray
    spacing: tuple[float, float, float]

    @property
    def length(self) -> float:
        """Arc length, mm."""
        return float(len(self.points) - 1)

    @property
    def tangents(self) -> np.ndarray:
        """(n, 2) unit steps down the line in the sagittal plane, (row, column)."""
        step = np.gradient(self.points[:, 1:], axis=0)
        return step / np.linalg.norm(step, axis=1, keepdims=True)

    def place(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`along` and `behind`, mm, of places in a sagittal plane given as (n,) indices."""
        where = np.stack([rows * self.spacing[1], columns * self.spacing[2]], 1)
        line = self.points[:, 1:]
        nearest = cKDTree(line).query(where)[1]
        offset, step = where - line[nearest], self.tangents[nearest]
        along = nearest + (offset * step).sum(1)
        return along, offset[:, 1] * step[:, 0] - offset[:, 0] * step[:, 1]

    def coordinates(self, voxels: tuple[np.ndarray, ...]) -> Coordinates:
        """Where voxels are, given as (slices, rows, columns) index arrays."""
        width = int(voxels[2].max(initial=0)) + 1
        flat, inverse = _unique(voxels[1] * width + voxels[2])
        along, behind = (values[inverse] for values in self.place(flat // width, flat % width))
        steps = np.arange(len(self.points))
        centre = np.interp(along, steps, self.points[:, 0])
        lean = np.interp(along, steps, np.gradient(self.points[:, 0]))
        beside = voxels[0] * self.spacing[0] - centre
        # In a scoliotic spine the discs are square to the line in the coronal plane too.
        values = (along + beside * lean, behind, beside)
        return Coordinates(*(value.astype(np.float32) for value in values))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """`along`, `behind` and `beside` of n voxels, (n,) float32 mm each."""

    along: np.ndarray
    behind: np.ndarray
    beside: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Coordinates:
        """Those of some of the voxels."""
        return Coordinates(self.along[chosen], self.behind[chosen], self.beside[chosen])


def _unique(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct keys and where each key went, by counting (keys are small)."""
    present = np.zeros(int(keys.max(initial=0)) + 1, bool)
    present[keys] = True
    flat = np.flatnonzero(present)
    lookup = np.zeros(len(present), np.int64)
    lookup[flat] = np.arange(len(flat))
    return flat, lookup[keys]


def trace_column(blocks: Blocks) -> Column | None:
    """Trace the centre line through bodies and discs; None where there is neither."""
    solid = blocks.bone + blocks.disc
    if not solid.any():
        return None
    spacing = blocks.spacing
    side, front = _guides(blocks, solid)
    rows = np.arange(solid.shape[1]) * spacing[1]
    near = np.abs(np.arange(solid.shape[0])[:, None] * spacing[0] - side[None]) <= max(
        _HALF_WIDTH, spacing[0]
    )
    counts = np.einsum("zyx,zy->yx", solid, near, dtype=np.float32, casting="unsafe")
    places = np.arange(solid.shape[2]) * spacing[2]
    counts[(places[None] > front[:, None]) | (places[None] < front[:, None] - _REACH_IN_FRONT)] = 0
    weight = counts.sum(1)
    used = weight > 0
    if len(used) < 2 or not used.any():
        return None  # a single row (one axial slice) has no column to follow
    middle = row_medians(counts) * spacing[2]
    across = smooth_curve(rows, rows[used], middle[used], weight[used], _COLUMN_BANDWIDTH)
    column = _by_arc_length(_extended(np.stack([side, rows, across], 1)), spacing)
    for _ in range(2):
        column = _recentre(column, counts)
    return column


def _guides(blocks: Blocks, solid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row: slice position (mm) of the middle, and the column (mm) that bodies stay in front of."""
    spacing = blocks.spacing
    by_canal = blocks.canal.any((0, 2)).sum() * spacing[1] >= _LEAST_CANAL
    source = blocks.canal if by_canal else blocks.disc
    if not by_canal and np.count_nonzero(source) < 0.02 * np.count_nonzero(solid):
        source = solid
    by_slice = source.sum(2, dtype=np.float32)
    weight = by_slice.sum(0)
    used = weight > 0
    rows = np.arange(len(weight)) * spacing[1]
    middle = (np.arange(len(by_slice))[:, None] * spacing[0] * by_slice).sum(0)[used] / weight[used]
    across = row_medians(source.sum(0, dtype=np.float32))[used] * spacing[2]
    bandwidth = _CANAL_BANDWIDTH if by_canal else 2.5 * _CANAL_BANDWIDTH
    side = smooth_curve(rows, rows[used], middle, weight[used], 2.0 * _CANAL_BANDWIDTH)
    front = smooth_curve(rows, rows[used], across, weight[used], bandwidth)
    return side, front if by_canal else front + _HALF_DEPTH


def _extended(points: np.ndarray) -> np.ndarray:
    """The polyline with straight ends: oblique vertebrae at the border lie beyond the last row's centre."""
    step = max(1, min(len(points) - 1, int(_BEYOND)))
    ends = []
    for edge, inner in ((points[0], points[step]), (points[-1], points[-1 - step])):
        away = edge - inner
        ends.append(edge + away * _BEYOND / max(float(np.linalg.norm(away)), 1e-6))
    return np.concatenate([ends[:1], points, ends[1:]])


def _by_arc_length(points: np.ndarray, spacing: tuple[float, float, float]) -> Column:
    """Points of a polyline, one a millimetre."""
    steps = np.linalg.norm(np.diff(points[:, 1:], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(0.0, max(length[-1], 2.0))
    return Column(np.stack([np.interp(at, length, points[:, k]) for k in range(3)], 1), spacing)


def _recentre(column: Column, counts: np.ndarray) -> Column:
    """Shift the line to the middle of what lies square to it (rows cut an oblique body askew)."""
    rows, columns = np.nonzero(counts)
    along, behind = column.place(rows, columns)
    here = (np.abs(behind) < _HALF_DEPTH) & (along >= 0) & (along < len(column.points))
    amount = counts[rows[here], columns[here]]
    size = len(column.points)
    weight = np.bincount(along[here].astype(int), amount, size)
    moment = np.bincount(along[here].astype(int), amount * behind[here], size)
    used = np.flatnonzero(weight)
    if not len(used):
        return column
    inside = np.clip(np.arange(size), used[0], used[-1]).astype(float)
    shift = smooth_curve(
        inside, used.astype(float), moment[used] / weight[used], weight[used], _COLUMN_BANDWIDTH
    )
    tangents = column.tangents
    points = column.points.copy()
    points[:, 1] -= shift * tangents[:, 1]
    points[:, 2] += shift * tangents[:, 0]
    return _by_arc_length(points, column.spacing)
