"""The canal: what lies in front of it is body, which way it runs, and how wide it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from napari_spineseg.anatomy import CANAL_LABEL
from napari_spineseg.measurement.lines import robust_line
from napari_spineseg.measurement.space import Space

# Half of the width, mm, of the middle of the canal, where its front is flat.
_MIDDLE = 4.0
# Rows without canal are bridged over this far, mm, and the canal goes on straight this far beyond its ends.
BRIDGE, BEYOND = 12.0, 6.0
_SMOOTH = 5.0
# How far up and down the canal's direction is looked at, mm.
_REACH = 14.0


@dataclass(frozen=True, eq=False)
class Canal:
    """The canal row by row, (rows,) each, NaN where there is none within reach.

    Attributes
    ----------
    side, middle
        Slice and column of its centre.
    front
        Column of its front in the middle.
    painted
        Whether the row itself is painted.
    cut
        Whether the canal of the row reaches the first or the last slice.
    """

    side: np.ndarray
    middle: np.ndarray
    front: np.ndarray
    painted: np.ndarray
    cut: np.ndarray

    def beside(self, rows: slice) -> float:
        """Share of some rows that have a canal, or are bridged, 0 to 1."""
        return float(np.isfinite(self.front[rows]).mean())

    def level_with(self, space: Space, place: np.ndarray, up: np.ndarray) -> np.ndarray | None:
        """(3,) RAS mm where its centre line passes the plane through `place` square to `up`, if it does."""
        rows = np.flatnonzero(np.isfinite(self.middle))
        if len(rows) < 2:
            return None
        line = space.world(np.stack([self.side[rows], rows, self.middle[rows]], 1))
        over = (line - place) @ up
        passes = np.flatnonzero((over[:-1] >= 0) & (over[1:] < 0))
        if not len(passes):
            return None
        first = passes[np.linalg.norm(line[passes] - place, axis=1).argmin()]
        share = over[first] / (over[first] - over[first + 1])
        return line[first] + share * (line[first + 1] - line[first])

    def upward(self, space: Space, row: float) -> np.ndarray | None:
        """(3,) unit vector up the canal at a row; None where too little of it is there.

        Its lean to the side is left out where the scan cuts the canal's sides off.
        """
        reach = _REACH / space.spacing[1]
        rows = np.arange(len(self.middle))
        near = np.isfinite(self.middle) & (np.abs(rows - row) <= reach)
        if not near.any() or np.ptp(rows[near]) * space.spacing[1] < 0.7 * _REACH:
            return None
        slopes = []
        for line in (self.side, self.middle):
            fit = robust_line(rows[near] - row, line[near])
            slopes.append(0.0 if fit is None else fit[1])
        if self.cut[near].any():
            slopes[0] = 0.0
        step = -space.affine[:3, :3] @ np.array([slopes[0], 1.0, slopes[1]])
        return step / np.linalg.norm(step)


def trace_canal(space: Space) -> Canal | None:
    """Follow the canal down the rows; None where none is labelled."""
    if CANAL_LABEL not in space.boxes:
        return None
    box = space.boxes[CANAL_LABEL]
    mask = space.mask(CANAL_LABEL)
    count = mask.sum(2, dtype=np.int64)
    total = count.sum(0)
    has = total > 0
    numbers = np.arange(mask.shape[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        side = (numbers[:, None] * count).sum(0) / total
        side = _smooth(side, has, 3 * _SMOOTH / space.spacing[1])
        near = np.abs(numbers[:, None] - side) * space.thickness <= max(_MIDDLE, 0.5 * space.thickness)
        near &= count > 0
        first = np.where(near, mask.argmax(2), np.nan)
        last = np.where(near, mask.shape[2] - 1 - mask[:, :, ::-1].argmax(2), np.nan)
        has &= near.any(0)
        front, back = (_row_median(edge, near) for edge in (first, last))
    lines = [side + box[0].start, (front + back) / 2 + box[2].start, front + box[2].start]
    rows = np.arange(space.labels.shape[1])
    there = np.zeros(len(rows), bool)
    there[box[1]] = has
    window = _SMOOTH / space.spacing[1]
    whole = [_spread(_smooth(line, has, window), there, box[1], space.spacing[1]) for line in lines]
    cut = np.zeros(len(rows), bool)
    ends = [n for n, edge in ((0, box[0].start == 0), (-1, box[0].stop == space.labels.shape[0])) if edge]
    cut[box[1]] = np.any([count[n] > 0 for n in ends], axis=0) if ends else False
    return Canal(*whole, there, cut)


def _row_median(edge: np.ndarray, near: np.ndarray) -> np.ndarray:
    """(rows,) median over the slices, NaN where there is none."""
    out = np.full(edge.shape[1], np.nan)
    some = near.any(0)
    out[some] = np.nanmedian(edge[:, some], axis=0)
    return out


def _smooth(line: np.ndarray, has: np.ndarray, window: float) -> np.ndarray:
    """Running median over the rows that have a value."""
    out = np.full(line.shape, np.nan)
    size = max(1, int(window) | 1)
    out[has] = median_filter(line[has], size, mode="nearest") if has.any() else np.nan
    return out


def _spread(line: np.ndarray, there: np.ndarray, rows: slice, step: float) -> np.ndarray:
    """A line over the rows of its box on all rows: gaps bridged, ends carried on straight."""
    out = np.full(len(there), np.nan)
    out[rows] = line
    known = np.flatnonzero(there)
    if len(known) < 2:
        return out
    at = np.arange(len(there))
    filled = np.interp(at, known, out[known])
    for edge, inner in ((known[0], known[: int(15 / step) + 2]), (known[-1], known[-int(15 / step) - 2 :])):
        fit = robust_line(inner - edge, out[inner])
        beyond = (at < edge) if edge == known[0] else (at > edge)
        if fit is not None:
            filled[beyond] = (fit[0] + fit[1] * (at - edge))[beyond]
    previous = known[np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 1)]
    following = known[np.clip(np.searchsorted(known, at), 0, len(known) - 1)]
    inside = (at >= known[0]) & (at <= known[-1])
    gap = (following - previous) * step
    outside = np.where(at < known[0], known[0] - at, at - known[-1]) * step
    filled[(inside & (gap > BRIDGE)) | (~inside & (outside > BEYOND))] = np.nan
    return filled
