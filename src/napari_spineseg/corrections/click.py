"""Click to fix: a few clicks or scribbles re-segment what is around them.

Random walks with priors (Grady, CVPR 2005 and TPAMI 2006): each voxel gets the probability that a
walk from it reaches a click that says *inside* before one that says *outside*, where steps across
edges of the image or of the network's features are unlikely. Far from the clicks the labels as they
are serve as the prior; close to them, how alike a voxel looks to what was clicked on. So a click
changes what it is about, and nothing elsewhere: what is added hangs on a click inside, what is
taken away on a click outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import cg

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Box, Edit, Spacing, edit_to, nothing

Point = tuple[float, float, float]

REACH_MM = 24.0
"""How far from a click labels may change, in the slice."""
_REACH_ACROSS_MM = 7.0
# Within this distance of a click its word counts for more than the labels do.
_CLOSE_MM = 16.0
_SEED_MM = 1.2
# The walk is on cells of about this size: fine enough for an outline that is interpolated.
_CELL_MM = 1.0
_PRIOR = 0.015
_EDGES = 4.0
_LEAST_STEP = 1e-3


@dataclass(frozen=True)
class Hints:
    """What a person pointed at: index coordinates (slice, row, column)."""

    inside: Sequence[Point] = ()
    outside: Sequence[Point] = ()

    def __add__(self, other: Hints) -> Hints:
        """Both."""
        return Hints((*self.inside, *other.inside), (*self.outside, *other.outside))


def box_around(hints: Hints, shape: tuple[int, int, int], spacing: Spacing, axis: int = 0) -> Box:
    """The part of the volume that `fix_by_click` looks at, for computing features of no more than that."""
    points = np.array([*hints.inside, *hints.outside], float)
    reach = [_REACH_ACROSS_MM if n == axis else REACH_MM for n in range(3)]
    low = np.floor(points.min(0) - np.divide(reach, spacing)).astype(int)
    high = np.ceil(points.max(0) + np.divide(reach, spacing)).astype(int) + 1
    return tuple(slice(max(0, int(a)), min(n, int(b))) for a, b, n in zip(low, high, shape, strict=True))


def fix_by_click(
    labels: np.ndarray,
    image: np.ndarray,
    label: int,
    hints: Hints,
    spacing: Spacing,
    features: np.ndarray | None = None,
    axis: int = 0,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Let clicks decide what is `label` around them.

    Parameters
    ----------
    labels, image
        (slices, rows, columns), the same shape.
    hints
        Points on `label` and points that are not. At least one.
    spacing
        mm along the axes.
    features
        (channels, *shape of `box_around(hints, ...)`): what the network sees there, scaled to about
        one. Without it the image alone decides.
    axis
        Across which axis slices are shown: the clicks count less across it.
    rule
        What may become `label`; by default background only.
    """
    if not hints.inside and not hints.outside:
        return nothing("Click on what belongs to the structure, or beside it.")
    box = box_around(hints, labels.shape, spacing, axis)
    before = labels[box]
    inside = before == label
    free = inside | rule.allows(before, label)
    points = [_local(group, box) for group in (hints.inside, hints.outside)]
    channels = _channels(image[box], features)
    factors = [max(1, round(_CELL_MM / step)) for step in spacing]
    size = tuple(step * factor for step, factor in zip(spacing, factors, strict=True))
    coarse = [_pooled(channel, factors) for channel in channels]
    cells = _Cells(coarse, _pooled(inside.astype(np.float32), factors), size)
    places = [[(p + 0.5) / factors - 0.5 for p in group] for group in points]
    probability = _walk(cells, places, _pooled(free.astype(np.float32), factors) > 0)
    found = (_spread(probability, factors, before.shape) > 0.5) & free
    seeds = [_near(group, before.shape, spacing, _SEED_MM) for group in points]
    found = (found | (seeds[0] & free)) & ~seeds[1]
    after = np.where(inside, 0, before)
    after[_only_at_clicks(inside, found, seeds)] = label
    edit = edit_to(before, after, box, "Fixed around the click.")
    return (
        edit
        if len(edit)
        else nothing("Nothing changed there; click again, or allow more to be painted over.")
    )


@dataclass(frozen=True, eq=False)
class _Cells:
    """The coarse grid that the walk is on: features, share that is labelled now, mm."""

    features: list[np.ndarray]
    current: np.ndarray
    size: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.current.shape


def _walk(cells: _Cells, places: list[list[np.ndarray]], free: np.ndarray) -> np.ndarray:
    """Probability of being inside, for each cell."""
    seeds = [_near(group, cells.shape, cells.size, _SEED_MM) for group in places]
    far = _distance([*places[0], *places[1]], cells.shape, cells.size)
    close = np.exp(-((far / _CLOSE_MM) ** 2))
    alike = _likeness(cells, seeds, close)
    prior = close * alike + (1 - close) * cells.current
    stiffness = np.full(cells.shape, _PRIOR, np.float32) / (close + 0.05)
    fixed = seeds[0] | seeds[1] | ~free
    value = np.where(seeds[0], 1.0, np.where(seeds[1] | ~free, 0.0, prior)).astype(np.float32)
    return _solve(cells, np.where(fixed, 1e4, stiffness), value, alike)


def _solve(cells: _Cells, stiffness: np.ndarray, value: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Minimise sum w (x_i - x_j)^2 + sum stiffness (x - value)^2: a sparse, positive definite system."""
    count = value.size
    numbers = np.arange(count, dtype=np.int32).reshape(value.shape)
    diagonal = stiffness.ravel().astype(np.float64)
    rows, columns, entries = [], [], []
    for axis in range(3):
        low, high = _pairs(value.ndim, axis)
        difference = 4.0 * (alike[low] - alike[high]) ** 2
        for feature in cells.features:
            difference = difference + (feature[low] - feature[high]) ** 2
        weight = (np.exp(-_EDGES * difference) + _LEAST_STEP) / cells.size[axis] ** 2
        first, second, weight = numbers[low].ravel(), numbers[high].ravel(), weight.ravel()
        diagonal += np.bincount(first, weight, count) + np.bincount(second, weight, count)
        rows += [first, second]
        columns += [second, first]
        entries += [-weight, -weight]
    rows.append(numbers.ravel())
    columns.append(numbers.ravel())
    entries.append(diagonal)
    matrix = sparse.csr_matrix(
        (np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), (count, count)
    )
    start = value.ravel().astype(np.float64)
    # Solved for the difference from the start: tolerances then mean what is unknown, not the fixed cells.
    residual = stiffness.ravel() * start - matrix @ start
    inverse = sparse.diags(1 / diagonal)
    difference, _ = cg(matrix, residual, rtol=1e-2, maxiter=200, M=inverse)
    return (start + difference).reshape(value.shape).astype(np.float32)


def _likeness(cells: _Cells, seeds: list[np.ndarray], close: np.ndarray) -> np.ndarray:
    """How alike each cell is to what was clicked on, 0 to 1, by a small classifier fitted on the spot.

    It learns from the clicks, and from the labels as they are where no click contradicts them:
    ridge regression on the features, their squares, and how far up and back a cell is.
    """
    design = _design(cells)
    inside, outside = seeds
    trust = 1 - close
    target = np.where(inside, 1.0, np.where(outside, -1.0, 2 * cells.current - 1)).astype(np.float32)
    weight = np.where(inside | outside, 0.0, 0.05 + trust)
    # The clicks together weigh as much as all the labels that surround them.
    clicked = (inside | outside).sum()
    weight[inside | outside] = weight.sum() / max(int(clicked), 1)
    # Inside and outside count alike, whichever there is more of.
    for side in (target > 0, target <= 0):
        weight[side] /= max(float(weight[side].sum()), 1e-6)
    scaled = design * weight.ravel()[:, None]
    gram = scaled.T @ design + 1e-2 * np.eye(design.shape[1], dtype=np.float32)
    score = design @ np.linalg.solve(gram, scaled.T @ target.ravel())
    return (1 / (1 + np.exp(-4.0 * score))).reshape(cells.shape).astype(np.float32)


def _design(cells: _Cells) -> np.ndarray:
    columns = [np.ones(cells.current.size, np.float32)]
    for feature in cells.features:
        flat = feature.ravel()
        flat = (flat - flat.mean()) / (flat.std() + 1e-6)
        columns += [flat, flat**2 - 1]
    return np.stack(columns, 1).astype(np.float32)


def _only_at_clicks(inside: np.ndarray, found: np.ndarray, seeds: list[np.ndarray]) -> np.ndarray:
    """`inside`, with those changes to `found` that hang on a click."""
    added, removed = found & ~inside, inside & ~found
    out = inside.copy()
    out[_touching(added, seeds[0])] = True
    out[_touching(removed, seeds[1])] = False
    return out


def _touching(change: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Connected pieces of `change` that reach a seed (or lie next to one)."""
    pieces = cc3d.connected_components(change, connectivity=18)
    near = ndimage.binary_dilation(seeds, iterations=2)
    wanted = np.unique(pieces[near & change])
    return np.isin(pieces, wanted[wanted > 0])


def _channels(image: np.ndarray, features: np.ndarray | None) -> list[np.ndarray]:
    """What edges are looked for in: the image, slightly blurred and in units of its spread, and features."""
    soft = ndimage.gaussian_filter(image.astype(np.float32), (0, 0.7, 0.7))
    low, high = np.percentile(soft, (5, 95))
    channels = [(soft - low) / max(float(high - low), 1e-6) * 2]
    return channels + ([] if features is None else [channel.astype(np.float32) for channel in features])


def _pooled(values: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Means over blocks; what does not fill a block at the end repeats its last voxel."""
    short = [-size % factor for size, factor in zip(values.shape, factors, strict=True)]
    if any(short):
        values = np.pad(values, [(0, n) for n in short], mode="edge")
    for axis, factor in enumerate(factors):
        if factor > 1:
            shape = [*values.shape[:axis], values.shape[axis] // factor, factor, *values.shape[axis + 1 :]]
            values = values.reshape(shape).mean(axis + 1)
    return values


def _spread(values: np.ndarray, factors: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """Cells back to voxels, linear between their centres."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            at = np.clip((np.arange(shape[axis]) + 0.5) / factor - 0.5, 0, values.shape[axis] - 1)
            below = at.astype(int)
            above = np.minimum(below + 1, values.shape[axis] - 1)
            share = (at - below).astype(np.float32).reshape([-1 if n == axis else 1 for n in range(3)])
            low, high = np.take(values, below, axis), np.take(values, above, axis)
            values = low + share * (high - low)
    return values


def _near(
    points: Sequence[np.ndarray], shape: tuple[int, ...], size: Sequence[float], mm: float
) -> np.ndarray:
    """Within `mm` of a point; the cell that holds the point always is."""
    out = np.zeros(shape, bool)
    for point in points:
        centre = [min(max(round(float(v)), 0), n - 1) for v, n in zip(point, shape, strict=True)]
        reach = [int(mm / step) for step in size]
        box = tuple(
            slice(max(0, c - r), min(n, c + r + 1)) for c, r, n in zip(centre, reach, shape, strict=True)
        )
        grids = np.ogrid[box]
        out[box] |= sum(((g - c) * s) ** 2 for g, c, s in zip(grids, centre, size, strict=True)) <= mm**2
        out[tuple(centre)] = True
    return out


def _distance(points: Sequence[np.ndarray], shape: tuple[int, ...], size: Sequence[float]) -> np.ndarray:
    """mm to the nearest point."""
    out = np.full(shape, np.inf, np.float32)
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    # A scribble has more points than its shape needs.
    for point in points[:: max(1, len(points) // 12)]:
        squared = sum(((g - p) * s) ** 2 for g, p, s in zip(grids, point, size, strict=True))
        np.minimum(out, squared, out=out)
    return np.sqrt(out)


def _local(points: Sequence[Point], box: Box) -> list[np.ndarray]:
    return [np.array([p - span.start for p, span in zip(point, box, strict=True)]) for point in points]


def _pairs(ndim: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index of every cell but the last, and of every cell but the first, along an axis."""
    low = tuple(slice(None, -1) if n == axis else slice(None) for n in range(ndim))
    high = tuple(slice(1, None) if n == axis else slice(None) for n in range(ndim))
    return low, high
