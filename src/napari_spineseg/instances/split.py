"""Whose voxel is it: from a read column to one label for every disc and vertebra voxel."""

from __future__ import annotations

from dataclasses import dataclass

import edt
import numpy as np
from scipy.interpolate import RegularGridInterpolator
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from napari_spineseg.instances.profile import Segment

_BODY_BACK = 18.0
_TILT_LIMIT = 1.0


@dataclass(frozen=True)
class Cut:
    """The surface between two vertebrae: `along = at + tilt * behind + lean * beside`, mm."""

    at: float
    tilt: float = 0.0
    lean: float = 0.0

    def height(self, behind: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """`along` of the cut there. Behind and beside the bodies it goes on level."""
        return (
            self.at
            + self.tilt * np.clip(behind, -_BODY_BACK, _BODY_BACK)
            + self.lean * np.clip(beside, -25.0, 25.0)
        )


def assign_discs(segments: list[Segment], along: np.ndarray) -> np.ndarray:
    """Index into `segments` of the disc that each disc voxel is nearest to along the line, (n,) int, -1 for none."""
    discs = [k for k, segment in enumerate(segments) if segment.is_disc and segment.evidence > 0]
    if not discs:
        return np.full(along.shape, -1)
    centres = np.array([(segments[k].start + segments[k].stop) / 2 for k in discs])
    return np.array(discs)[np.searchsorted((centres[1:] + centres[:-1]) / 2, along)]


def fit_cut(segment: Segment, along: np.ndarray, behind: np.ndarray, beside: np.ndarray) -> Cut:
    """Least-squares plane through a disc's voxels; level at the segment's middle where there are few."""
    middle = (segment.start + segment.stop) / 2
    core = (np.abs(behind) < 20) & (np.abs(beside) < 25) & (np.abs(along - middle) < 15)
    if core.sum() < 50:
        return Cut(middle)
    design = np.stack([np.ones(core.sum()), behind[core], beside[core]], 1)
    # The ridge keeps a plane through two or three slices from leaning sideways.
    normal = design.T @ design + np.diag([0.0, 25.0, 200.0]) * 10
    at, tilt, lean = np.linalg.solve(normal, design.T @ along[core])
    return Cut(float(at), float(np.clip(tilt, -_TILT_LIMIT, _TILT_LIMIT)), float(np.clip(lean, -0.6, 0.6)))


# Where the upper vertebra's posterior elements end and the lower one's begin, against the disc's
# level, as a share of the distance between discs (median of 40 SPIDER volumes). Rows: behind the
# centre line; columns: beside it. In the middle the spinous process hangs below its own disc;
# beside it the lower vertebra's superior articular process reaches above, in front of the joint.
_BEHIND = np.array([12.5, 17.5, 22.5, 27.5, 32.5, 37.5, 42.5, 47.5, 62.5])
_BESIDE = np.array([2.0, 6.0, 10.0, 14.0, 18.0, 22.5, 27.5])
_DROP = (
    np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, -1, -1, -1, -1, 0, -2],
            [-2, -2, -4, -4, -5, -6, -5],
            [5, 3, -2, -7, -8, -8, -7],
            [8, 10, 10, -1, -9, -9, -9],
            [8, 11, 14, 13, -6, -12, -11],
            [8, 10, 16, 16, -4, -13, -13],
            [8, 9, 17, 18, 0, -13, -13],
            [8, 8, 12, 18, 0, -13, -13],
        ]
    )
    / 33.7
)


def drop(behind: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """Level of the border between posterior elements below their disc, as a share of the disc distance."""
    grid = RegularGridInterpolator((_BEHIND, _BESIDE), _DROP)
    return grid(
        np.stack(
            [np.clip(behind, _BEHIND[0], _BEHIND[-1]), np.clip(np.abs(beside), _BESIDE[0], _BESIDE[-1])], 1
        )
    )


def bands(cuts: list[Cut], pitches: list[float], along, behind, beside) -> tuple[np.ndarray, np.ndarray]:
    """How many cuts each voxel lies below (0 for the topmost vertebra), and how far from the nearest one, mm."""
    below = np.zeros(along.shape, int)
    clear = np.full(along.shape, np.inf)
    share = drop(behind, beside)
    for cut, pitch in zip(cuts, pitches, strict=True):
        over = along - cut.height(behind, beside) - pitch * share
        below += over > 0
        np.minimum(clear, np.abs(over), out=clear)
    return below, clear


def flood(
    mask: np.ndarray, voxels: tuple[np.ndarray, ...], labels: np.ndarray, sure: np.ndarray, spacing
) -> np.ndarray:
    """Give unsure voxels the label of the sure one that is nearest through thick bone.

    Parameters
    ----------
    mask
        (slices, rows, columns) bool, bone.
    voxels
        Its indices, three (n,) arrays.
    labels, sure
        (n,) of the voxels.

    Returns
    -------
    numpy.ndarray
        (n,) labels. Unsure voxels that no sure one reaches keep theirs.
    """
    index = np.full(mask.shape, -1, np.int32)
    index[voxels] = np.arange(len(labels))
    depth = edt.edt(mask, anisotropy=spacing, black_border=False)[voxels]
    slow = 1.0 + 4.0 / np.maximum(depth, 0.5)
    heads, tails, costs = [], [], []
    for axis in range(3):
        a = np.take(index, range(mask.shape[axis] - 1), axis).ravel()
        b = np.take(index, range(1, mask.shape[axis]), axis).ravel()
        both = (a >= 0) & (b >= 0)
        a, b = a[both], b[both]
        active = ~(sure[a] & sure[b])
        a, b = a[active], b[active]
        heads.append(a)
        tails.append(b)
        costs.append(spacing[axis] * (slow[a] + slow[b]) / 2)
    heads, tails, costs = map(np.concatenate, (heads, tails, costs))
    used = np.unique(np.concatenate([heads, tails]))
    seeds = np.flatnonzero(sure[used])
    if not len(seeds):
        return labels
    graph = csr_matrix(
        (costs, (np.searchsorted(used, heads), np.searchsorted(used, tails))), (len(used), len(used))
    )
    _, _, source = dijkstra(graph, directed=False, indices=seeds, min_only=True, return_predecessors=True)
    out = labels.copy()
    reached = source >= 0
    out[used[reached]] = labels[used[source[reached]]]
    return out
