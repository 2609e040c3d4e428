"""Labels on another grid: the label that covers most of a voxel gets it.

Nearest-neighbour lookup would leave the stairs of the coarse grid on the fine one. Each label is
resampled as a share, 0 to 1, within its own bounding box; background is what no label covers.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from napari_spineseg.grid import Box, Grid, grown
from napari_spineseg.preprocessing.regrid import AxisMap, axis_maps, index_map, lookup, window_of
from napari_spineseg.progress import Control

_STAGE = "Moving labels"


def regrid_labels(
    labels: np.ndarray,
    source: Grid,
    target: Grid,
    moved: np.ndarray | None = None,
    control: Control = Control(),
) -> np.ndarray:
    """Labels of `source` on `target`, same dtype; 0 outside. No number appears that was not there.

    Exact where voxels only change place. `moved`: (4, 4) RAS mm, where points of the source went.
    """
    matrix = index_map(source, target, moved)
    maps = axis_maps(matrix)
    if maps is not None and all(m.whole for m in maps):
        return _place(labels, maps, target.shape)
    out = np.zeros(target.shape, labels.dtype)
    best = np.zeros(target.shape, np.float32)
    covered = np.zeros(target.shape, np.float32)
    boxes = _boxes(labels)
    for done, (label, box) in enumerate(boxes.items(), start=1):
        box = grown(box, (2, 2, 2), labels.shape)
        into = _reach(box, matrix, target.shape)
        if all(w.stop > w.start for w in into):
            mask = np.ascontiguousarray(labels[box] == label, np.float32)
            share = _share(mask, box, into, matrix, maps, labels.shape)
            covered[into] += share
            wins = share > best[into]
            best[into][wins] = share[wins]
            out[into][wins] = label
        control.step(_STAGE, done, len(boxes))
    # Ties go to the label: a border that lies exactly between two voxels must not eat a thin one.
    out[best < 1 - covered - 1e-4] = 0
    return out


def _boxes(labels: np.ndarray) -> dict[int, Box]:
    """The bounding box of every label that is there."""
    present = np.unique(labels)
    present = present[present > 0]
    # Numbered from 1 without gaps first: find_objects keeps a list as long as the largest number.
    ranks = np.searchsorted(present, labels) + 1
    ranks[labels == 0] = 0
    return {int(n): box for n, box in zip(present, ndimage.find_objects(ranks), strict=True)}


def _reach(box: Box, matrix: np.ndarray, shape: tuple[int, ...]) -> Box:
    """The window of the target that a box of the source can touch."""
    corners = np.array(np.meshgrid(*[(b.start - 0.5, b.stop - 0.5) for b in box], indexing="ij")).reshape(
        3, -1
    )
    at = np.linalg.inv(matrix) @ np.vstack([corners, np.ones(8)])
    low, high = np.floor(at[:3].min(1)).astype(int), np.ceil(at[:3].max(1)).astype(int) + 1
    return tuple(slice(int(max(0, a)), int(min(n, b))) for a, b, n in zip(low, high, shape, strict=True))


def _share(
    mask: np.ndarray,
    box: Box,
    into: Box,
    matrix: np.ndarray,
    maps: tuple[AxisMap, ...] | None,
    shape: tuple[int, ...],
) -> np.ndarray:
    """How much of each voxel of the window `into` the mask covers, float32."""
    if maps is None:
        return _turned_share(mask, box, into, matrix)
    part = torch.from_numpy(mask.transpose([m.source_axis for m in maps]).copy())
    for axis, (m, window) in enumerate(zip(maps, into, strict=True)):
        inside = box[m.source_axis]
        # Weights of the whole axis, then its part: at a box's border a label does not go on.
        weights = m.weights(shape[m.source_axis], window.stop)[window.start :, inside]
        part = torch.movedim(torch.tensordot(torch.from_numpy(weights), part, dims=([1], [axis])), 0, axis)
    return part.numpy()


def _turned_share(mask: np.ndarray, box: Box, into: Box, matrix: np.ndarray) -> np.ndarray:
    shifted = matrix.copy()
    shifted[:3, 3] -= [b.start for b in box]
    place, inside = lookup(shifted, into, mask.shape)
    share = functional.grid_sample(
        torch.from_numpy(mask)[None, None], place[None], padding_mode="border", align_corners=True
    )[0, 0]
    return torch.where(inside, share, 0.0).numpy()


def _place(labels: np.ndarray, maps: tuple[AxisMap, ...], shape: tuple[int, ...]) -> np.ndarray:
    turned = labels.transpose([m.source_axis for m in maps])
    windows = [window_of(m, n, t) for m, n, t in zip(maps, turned.shape, shape, strict=True)]
    out = np.zeros(shape, labels.dtype)
    out[tuple(into for into, _ in windows)] = turned[tuple(taken for _, taken in windows)]
    return out
