"""Cutting a vertebral body from its posterior elements: what lies in front of the canal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from napari_spineseg.anatomy import CANAL_LABEL
from napari_spineseg.grid import Box
from napari_spineseg.measurement.canal import BEYOND, BRIDGE, Canal
from napari_spineseg.measurement.reading import words
from napari_spineseg.measurement.space import Frame, Missing, Space, axes, main_piece

_NO_CANAL = (
    "the spinal canal is not labelled beside it, so its body cannot be told from the posterior elements"
)
# Rows above and below a vertebra in which the canal beside it may lie.
_MORE = 30
# What the canal may be missing of along a body.
_LEAST_CANAL = 0.85


@dataclass(frozen=True, eq=False)
class Block:
    """The voxels of a body.

    Attributes
    ----------
    mask, box
        Bool, and where it is in the space's voxels.
    side
        Number of the slice, with fractions, of its middle.
    centre
        (3,) mean of its voxels, (slice, row, column).
    caution
        What makes it doubtful, or nothing.
    cut, hidden
        Whether the scan cuts its sides off, and those of the canal.
    """

    mask: np.ndarray
    box: Box
    side: float
    centre: np.ndarray
    caution: str
    cut: bool
    hidden: bool


def cut_body(space: Space, canal: Canal | None, label: int) -> Block | Missing:
    """The part of vertebra `label` in front of the canal, or why it cannot be told.

    First row by row, which tells about where it is; then level by level along the canal, because rows
    cut a leaning spine askew, and where a vertebra has slipped the canal may lie in front of its neighbour.
    Whether the canal lies beside it is asked of levels too: that beside a body which leans by 60 degrees is
    three centimetres higher or lower in the scan.
    """
    if canal is None or not np.isfinite(canal.front).any():
        return Missing(_NO_CANAL)
    mask, box = space.bone(label)
    known = np.isfinite(canal.front)
    rows = np.arange(len(known))
    front = np.interp(rows, rows[known], canal.front[known])[box[1]]
    columns = np.arange(box[2].start, box[2].stop)
    ahead = mask & (columns[None, None] < front[None, :, None])
    if not ahead.any():
        return Missing("all of it lies behind the spinal canal")
    first = _placed(space, canal, ahead, box, "")
    body, beside = _in_front(space, canal, mask, box, upright(space, canal, first))
    if not body.any() and beside:
        return Missing("all of it lies behind the spinal canal")
    if beside < _LEAST_CANAL:
        return Missing(_NO_CANAL)
    found = main_piece(body)
    if found is None:
        return Missing("its body is labelled in separate pieces")
    body, loose = found
    caution = words(loose, "A tumour is marked in it." if label in space.tumours else "", space.coarse)
    return _placed(space, canal, body, box, caution)


def _in_front(
    space: Space, canal: Canal, mask: np.ndarray, box: Box, frame: Frame
) -> tuple[np.ndarray, float]:
    """The part of a mask in front of the canal, level by level up the frame, and what share of that part
    has a canal at its level."""
    low, high = max(0, box[1].start - _MORE), min(len(canal.side), box[1].stop + _MORE)
    index = np.argwhere(space.labels[:, low:high] == CANAL_LABEL) + np.array([0, low, 0])
    near = np.abs(index[:, 0] - canal.side[index[:, 1]]) * space.thickness <= max(4.0, space.thickness / 2)
    if not near.any():
        return np.zeros(mask.shape, bool), 0.0
    local = frame.local(space.world(index[near]))
    start = int(np.floor(local[:, 2].min()))
    level = np.floor(local[:, 2]).astype(int) - start
    # In front of all but the foremost twentieth of a level's canal: a stray voxel does not cut into a body.
    front = np.full(int(level.max()) + 1, np.nan)
    order = np.lexsort((local[:, 1], level))
    counts = np.bincount(level, minlength=len(front))
    stops = np.cumsum(counts)
    has = counts > 0
    front[has] = local[order, 1][(stops - 1 - counts // 20)[has]]
    places = start + 0.5 + np.flatnonzero(has)
    inside = np.argwhere(mask) + np.array([b.start for b in box])
    _, ahead, up = frame.local(space.world(inside)).T
    out = np.zeros(mask.shape, bool)
    out[mask] = ahead > np.interp(up, places, median_filter(front[has], 5, mode="nearest"))
    levels = up[out[mask]]
    return out, float(_reached(levels, places).mean()) if len(levels) else 1.0


def _reached(up: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which heights `up`, mm, lie between `places` (rising) where the canal is, or little beyond the ends."""
    at = np.searchsorted(places, up)
    below, above = np.append(-np.inf, places)[at], np.append(places, np.inf)[at]
    gap = above - below
    return np.where(np.isinf(gap), np.minimum(up - below, above - up) <= BEYOND, gap <= BRIDGE)


def _placed(space: Space, canal: Canal, body: np.ndarray, box: Box, caution: str) -> Block:
    """Find the middle of a body, and how it is turned to the side."""
    index = np.argwhere(body) + np.array([b.start for b in box])
    centre = index.mean(0)
    first, last = np.quantile(index[:, 1], (0.2, 0.8)).astype(int)
    rows = slice(first, last + 1)
    beside = canal.side[rows]
    sac = float(np.nanmean(beside)) if np.isfinite(beside).any() else float(centre[0])
    cut = bool(space.edges(body, box, (0,)))
    side = sac if cut else footprint(body) + box[0].start
    hidden = bool(canal.cut[rows].any())
    return Block(body, box, side, centre, caution, cut, hidden)


def footprint(mask: np.ndarray) -> float:
    """Middle slice, with fractions, of what a mask covers from above, so that a wedge pulls it to no side."""
    width = mask.any(1).sum(1)
    return float(np.average(np.arange(len(width)), weights=width))


def upright(space: Space, canal: Canal, block: Block) -> Frame:
    """Axes to start from: up along the canal, in the plane of the slices, from the body's middle."""
    up = canal.upward(space, block.centre[1])
    up = -space.down if up is None else up
    place = space.world(np.array([[block.side, block.centre[1], block.centre[2]]]))[0]
    return axes(place, space.right, up)
