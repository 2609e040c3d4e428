"""The column's centre line, and where every voxel is relative to it.

Coordinates are those of a spine, not of a scanner: `along` runs down the centre line (arc
length, mm), `behind` is the distance to its back (mm, negative in front), `beside` the distance
to its right (mm). All later steps speak in these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from napari_spineseg.anatomy import Structure
from napari_spineseg.instances.curve import row_medians, smooth_curve

_CANAL_BANDWIDTH = 12.0
_COLUMN_BANDWIDTH = 14.0
# A lumbar body is 30 to 40 mm deep and the canal 15 mm: what is further in front is not the column.
_REACH_IN_FRONT = 60.0
_HALF_DEPTH = 20.0
_HALF_WIDTH = 14.0
# How far the line goes on beyond what is painted.
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

    def plane(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """`along` and `behind` of every (row, column) of a sagittal plane, two (rows, columns) arrays, mm."""
        rows, columns = np.meshgrid(
            np.arange(shape[1]) * self.spacing[1], np.arange(shape[2]) * self.spacing[2], indexing="ij"
        )
        line = self.points[:, 1:]
        tangent = np.gradient(line, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        _, nearest = cKDTree(line).query(np.stack([rows.ravel(), columns.ravel()], 1))
        offset = np.stack([rows.ravel(), columns.ravel()], 1) - line[nearest]
        step = tangent[nearest]
        along = nearest + (offset * step).sum(1)
        behind = offset[:, 1] * step[:, 0] - offset[:, 0] * step[:, 1]
        return along.reshape(rows.shape), behind.reshape(rows.shape)

    def sideways(self, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (mm along the slices) and lateral lean (mm a mm) of the line at arc lengths `along`."""
        index = np.clip(along, 0, self.length)
        steps = np.arange(len(self.points))
        lean = np.gradient(self.points[:, 0])
        return np.interp(index, steps, self.points[:, 0]), np.interp(index, steps, lean)


def coordinates(
    column: Column, shape: tuple[int, ...], voxels: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`along`, `behind` and `beside` (mm) of voxels given as index arrays (slices, rows, columns)."""
    along_plane, behind_plane = column.plane(shape)
    along = along_plane[voxels[1], voxels[2]]
    behind = behind_plane[voxels[1], voxels[2]]
    centre, lean = column.sideways(along)
    beside = voxels[0] * column.spacing[0] - centre
    # In a scoliotic spine the discs are square to the line in the coronal plane too.
    return along + beside * lean, behind, beside


def trace_column(structures: np.ndarray, spacing: tuple[float, float, float]) -> Column | None:
    """Trace the centre line through bodies and discs.

    Parameters
    ----------
    structures
        (slices, rows, columns) of the `structures` scheme, in sagittal orientation.
    spacing
        mm.

    Returns
    -------
    Column | None
        None where there is neither vertebra nor disc.
    """
    solid = (structures == Structure.VERTEBRA) | (structures == Structure.DISC)
    if not solid.any():
        return None
    side, front = _guides(structures, solid, spacing)
    rows = np.arange(structures.shape[1]) * spacing[1]
    near = np.abs(np.arange(structures.shape[0])[:, None] * spacing[0] - side[None]) <= max(
        _HALF_WIDTH, spacing[0]
    )
    counts = np.einsum("zyx,zy->yx", solid, near, dtype=np.float32, casting="unsafe")
    places = np.arange(structures.shape[2]) * spacing[2]
    counts[(places[None] > front[:, None]) | (places[None] < front[:, None] - _REACH_IN_FRONT)] = 0
    weight = counts.sum(1)
    used = weight > 0
    if not used.any():
        return None
    middle = row_medians(counts) * spacing[2]
    across = smooth_curve(rows, rows[used], middle[used], weight[used], _COLUMN_BANDWIDTH)
    column = _by_arc_length(_extended(np.stack([side, rows, across], 1)), spacing)
    for _ in range(2):
        column = _recentre(column, counts, structures.shape)
    return column


def _guides(structures, solid, spacing) -> tuple[np.ndarray, np.ndarray]:
    """For each row: slice position (mm) of the middle, and the column (mm) that bodies stay in front of."""
    rows = np.arange(structures.shape[1]) * spacing[1]
    canal = structures == Structure.CANAL
    weight = canal.sum((0, 2)).astype(float)
    used = weight > 0
    if used.sum() * spacing[1] < 20:
        return _guides_without_canal(structures, solid, spacing)
    slices = np.arange(structures.shape[0]) * spacing[0]
    by_slice = canal.sum(2)
    middle = (slices[:, None] * by_slice).sum(0)[used] / weight[used]
    wall = row_medians(canal.sum(0)) * spacing[2]
    side = smooth_curve(rows, rows[used], middle, weight[used], 2 * _CANAL_BANDWIDTH)
    return side, smooth_curve(rows, rows[used], wall[used], weight[used], _CANAL_BANDWIDTH)


def _guides_without_canal(structures, solid, spacing) -> tuple[np.ndarray, np.ndarray]:
    """The same from the discs, or failing them from whatever there is."""
    source = structures == Structure.DISC
    if source.sum() < 0.02 * solid.sum():
        source = solid
    rows = np.arange(structures.shape[1]) * spacing[1]
    weight = source.sum((0, 2)).astype(float)
    used = weight > 0
    slices = np.arange(structures.shape[0]) * spacing[0]
    middle = (slices[:, None] * source.sum(2)).sum(0)[used] / weight[used]
    across = row_medians(source.sum(0)) * spacing[2]
    side = smooth_curve(rows, rows[used], middle, weight[used], 30.0)
    return side, smooth_curve(rows, rows[used], across[used], weight[used], 30.0) + _HALF_DEPTH


def _extended(points: np.ndarray) -> np.ndarray:
    """The polyline with straight ends: an oblique vertebra at the border lies beyond the last row's centre."""
    step = max(1, min(len(points) - 1, int(_BEYOND)))
    ends = []
    for edge, inner in ((points[0], points[step]), (points[-1], points[-1 - step])):
        away = edge - inner
        ends.append(edge + away * _BEYOND / max(float(np.linalg.norm(away)), 1e-6))
    return np.concatenate([ends[:1], points, ends[1:]])


def _by_arc_length(points: np.ndarray, spacing) -> Column:
    """Points of a polyline, one a millimetre."""
    steps = np.linalg.norm(np.diff(points[:, 1:], axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.arange(0.0, max(length[-1], 1.0))
    return Column(np.stack([np.interp(at, length, points[:, k]) for k in range(3)], 1), spacing)


def _recentre(column: Column, counts: np.ndarray, shape) -> Column:
    """Shift the line to the middle of what lies square to it (rows cut an oblique body askew)."""
    along, behind = column.plane(shape)
    here = (counts > 0) & (np.abs(behind) < _HALF_DEPTH) & (along >= 0) & (along <= column.length)
    bins = along[here].astype(int)
    size = len(column.points)
    weight = np.bincount(bins, counts[here], size)
    moment = np.bincount(bins, counts[here] * behind[here], size)
    used = weight > 0
    if not used.any():
        return column
    steps = np.arange(size, dtype=float)
    shift = smooth_curve(steps, steps[used], moment[used] / weight[used], weight[used], _COLUMN_BANDWIDTH)
    inside = np.clip(steps, steps[used][0], steps[used][-1])
    shift = np.interp(inside, steps, shift)
    tangent = np.gradient(column.points[:, 1:], axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    points = column.points.copy()
    points[:, 1] -= shift * tangent[:, 1]
    points[:, 2] += shift * tangent[:, 0]
    return _by_arc_length(points, column.spacing)
