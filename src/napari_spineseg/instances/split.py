"""Whose voxel is it: from a read column to one label for every disc and vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import edt
import numpy as np
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from napari_spineseg.instances.column import Coordinates
from napari_spineseg.instances.profile import Segment

_BODY_BACK = 18.0
_STEEPEST_TILT, _STEEPEST_LEAN = 1.0, 0.6
# How close to its disc's plane, mm, a disc voxel has to be; and how far to the sides.
_DISC_REACH, _DISC_BEHIND, _DISC_BESIDE = 14.0, 30.0, 38.0
# A piece of disc is one disc as a whole if this share of it is.
_WHOLE = 0.8
_USUAL_PITCH = 33.0
# The flood prefers thick bone: a step costs (1 + _NECK / depth) times its length.
_NECK = 4.0

# Where the upper vertebra's posterior elements end and the lower one's begin, against the disc's
# level, as a share of the distance between discs (best border in 40 SPIDER volumes). Rows: behind
# the centre line, every 5 mm; columns: beside it, every 4 mm. In the middle the spinous process
# hangs below its own disc; beside it the lower vertebra's superior articular process reaches up
# in front of the joint.
_BORDER_BEHIND, _BORDER_BESIDE, _BORDER_STEP = 12.5, 2.0, (5.0, 4.0)
_BORDER = np.array(
    [
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00],
        [0.00, -0.03, -0.03, -0.03, -0.03, 0.00, -0.06],
        [-0.06, -0.06, -0.12, -0.12, -0.15, -0.18, -0.15],
        [0.15, 0.09, -0.06, -0.21, -0.24, -0.24, -0.21],
        [0.24, 0.30, 0.30, -0.03, -0.27, -0.27, -0.27],
        [0.24, 0.33, 0.42, 0.39, -0.18, -0.36, -0.33],
        [0.24, 0.30, 0.48, 0.48, -0.12, -0.39, -0.39],
        [0.24, 0.27, 0.50, 0.53, 0.00, -0.39, -0.39],
        [0.24, 0.24, 0.36, 0.53, 0.00, -0.39, -0.39],
    ]
)


@dataclass(frozen=True)
class Cut:
    """The surface between two vertebrae: `along = at + tilt * behind + lean * beside`, mm."""

    at: float
    pitch: float = _USUAL_PITCH
    tilt: float = 0.0
    lean: float = 0.0
    lowest: bool = False
    """Whether it is the lumbosacral one: all posterior elements near it are the vertebra's above."""

    def height(self, where: Coordinates) -> np.ndarray:
        """`along` of the disc's plane there. Behind and beside the bodies it goes on level."""
        return (
            self.at
            + self.tilt * np.clip(where.behind, -_BODY_BACK, _BODY_BACK)
            + self.lean * np.clip(where.beside, -25.0, 25.0)
        )

    def below(self, where: Coordinates, border: np.ndarray) -> np.ndarray:
        """How far each place lies below the surface, mm, given `posterior_border` there."""
        if self.lowest:
            border = np.clip((where.behind - 15.0) / 6.0, 0.0, 1.0)
        return where.along - self.height(where) - self.pitch * border


def posterior_border(where: Coordinates) -> np.ndarray:
    """Level of the border between two vertebrae below their disc's plane, as a share of the pitch."""
    places = (
        (where.behind - _BORDER_BEHIND) / _BORDER_STEP[0],
        (np.abs(where.beside) - _BORDER_BESIDE) / _BORDER_STEP[1],
    )
    return map_coordinates(_BORDER, places, order=1, mode="nearest")


def assign_discs(segments: list[Segment], where: Coordinates) -> np.ndarray:
    """Index into `segments` of the disc that each disc voxel is nearest to along the line, -1 for none."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc and segment.evidence > 0]
    if not discs:
        return np.full(where.along.shape, -1)
    centres = np.array([segments[k].middle for k in discs])
    return np.array(discs)[np.searchsorted((centres[1:] + centres[:-1]) / 2, where.along)]


def fit_cuts(segments: list[Segment], owner: np.ndarray, where: Coordinates, amount: np.ndarray) -> list[Cut]:
    """A plane through each disc of `segments`, from the top down; level where nothing is painted."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc]
    gaps = np.diff([segments[k].middle for k in discs])
    pitches = (np.r_[gaps[:1], gaps] + np.r_[gaps, gaps[-1:]]) / 2 if len(gaps) else [_USUAL_PITCH]
    return [
        _fit(segments[k], float(pitch), where[owner == k], amount[owner == k])
        for k, pitch in zip(discs, pitches, strict=False)
    ]


def _fit(segment: Segment, pitch: float, where: Coordinates, amount: np.ndarray) -> Cut:
    """Least-squares plane through one disc."""
    core = (np.abs(where.behind) < 20) & (np.abs(where.beside) < 25)
    core &= np.abs(where.along - segment.middle) < 15
    if core.sum() < 20:
        return Cut(segment.middle, pitch)
    here, weight = where[core], amount[core].astype(float)
    design = np.stack([np.ones(len(weight)), here.behind, here.beside], 1)
    # Ridge, mm squared: a plane through two or three slices must not lean sideways on a whim.
    normal = (design * weight[:, None]).T @ design + weight.sum() * np.diag([0.0, 10.0, 20.0])
    at, tilt, lean = np.linalg.solve(normal, design.T @ (weight * here.along))
    return Cut(
        float(at),
        pitch,
        float(np.clip(tilt, -_STEEPEST_TILT, _STEEPEST_TILT)),
        float(np.clip(lean, -_STEEPEST_LEAN, _STEEPEST_LEAN)),
    )


def settle_discs(mask: np.ndarray, cuts: list[Cut], where: Coordinates) -> np.ndarray:
    """Which cut's disc each disc voxel is, -1 for what floats away from all of them.

    Parameters
    ----------
    mask
        (slices, rows, columns) bool.
    where
        Coordinates of its n set voxels, in array order.

    Returns
    -------
    numpy.ndarray
        (n,) index into `cuts`. A piece that is nearly all of one disc is that disc as a whole.
    """
    away = np.stack([np.abs(where.along - cut.height(where)) for cut in cuts])
    owner = away.argmin(0)
    near = (away.min(0) < _DISC_REACH) & (np.abs(where.behind) < _DISC_BEHIND)
    near &= np.abs(where.beside) < _DISC_BESIDE
    pieces = cc3d.connected_components(mask, connectivity=26)[mask]
    size = np.maximum(np.bincount(pieces), 1)
    votes = np.stack([np.bincount(pieces, owner == k, len(size)) for k in range(len(cuts))])
    whole = votes.max(0) >= _WHOLE * size
    owner = np.where(whole[pieces], votes.argmax(0)[pieces], owner)
    floats = np.bincount(pieces, near) < 0.5 * size
    return np.where(floats[pieces], -1, owner)


def bands(cuts: list[Cut], where: Coordinates, border: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many cuts each voxel lies below (0 for the topmost vertebra), and mm to the nearest cut.

    `border` is `posterior_border(where)`.
    """
    count = np.zeros(where.along.shape, np.int16)
    clear = np.full(where.along.shape, np.inf, np.float32)
    for cut in cuts:
        over = cut.below(where, border)
        count += over > 0
        np.minimum(clear, np.abs(over), out=clear)
    return count, clear


def flood(
    mask: np.ndarray,
    solid: np.ndarray,
    labels: np.ndarray,
    sure: np.ndarray,
    spacing: tuple[float, float, float],
) -> np.ndarray:
    """Give unsure voxels the label of the sure one that is nearest through thick bone.

    Parameters
    ----------
    mask
        (slices, rows, columns) bool, bone.
    solid
        The same, only where it counts as thick.
    labels, sure
        (n,) of the mask's voxels, in array order.
    spacing
        mm.

    Returns
    -------
    numpy.ndarray
        (n,) labels. Unsure voxels that no sure one reaches keep theirs.
    """
    # A frame of "no bone" lets neighbours be found by adding to flat indices.
    framed = np.pad(mask, 1)
    index = np.full(framed.size, -1, np.int32)
    places = np.flatnonzero(framed)
    index[places] = np.arange(len(labels), dtype=np.int32)
    depth = edt.edt(solid, anisotropy=spacing, black_border=False)[mask]
    slow = 1.0 + _NECK / np.maximum(depth, 0.5)
    unsure = np.flatnonzero(~sure).astype(np.int32)
    heads, tails, costs = [], [], []
    for step, length in zip(np.array(framed.strides) // framed.itemsize, spacing, strict=True):
        for sign in (-1, 1):
            other = index[places[unsure] + sign * step]
            # An edge between two unsure voxels is met from both; take it once.
            once = (other >= 0) & (sure[other] | (sign > 0))
            a, b = unsure[once], other[once]
            heads.append(a)
            tails.append(b)
            costs.append(length * (slow[a] + slow[b]) / 2)
    return _nearest_seed(*map(np.concatenate, (heads, tails, costs)), labels, sure)


def _nearest_seed(heads, tails, costs, labels, sure) -> np.ndarray:
    """Labels after each unsure node of a graph took that of its nearest sure node."""
    touched = np.zeros(len(labels), bool)
    touched[heads] = touched[tails] = True
    used = np.flatnonzero(touched)
    seeds = np.flatnonzero(sure[used])
    if not len(seeds):
        return labels
    rank = np.zeros(len(labels), np.int32)
    rank[used] = np.arange(len(used), dtype=np.int32)
    graph = csr_matrix((costs, (rank[heads], rank[tails])), (len(used), len(used)))
    source = dijkstra(graph, directed=False, indices=seeds, min_only=True, return_predecessors=True)[2]
    out = labels.copy()
    reached = source >= 0
    out[used[reached]] = labels[used[source[reached]]]
    return out
