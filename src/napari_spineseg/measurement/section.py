"""A level seen from its side: its slices near the middle, projected along its own lateral axis.

The picture is how much of the band each place is covered by the label, so that edges lie between
voxels: at thin slices the stairs of neighbouring slices average out, and a tilted edge is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from napari_spineseg.grid import Box
from napari_spineseg.measurement.space import Frame, Space

# Distance of samples, mm; edges are found between them.
STEP = 0.5
# Standard deviation, voxels: takes the stairs off a mask's edge, and leaves the edge where it is.
_SOFT = 0.6


@dataclass(frozen=True, eq=False)
class Soft:
    """Some slices of a mask with soft edges, and where they lie in the whole volume.

    Attributes
    ----------
    values
        (slices, rows, columns) float32, 0 to 1, with a margin of one voxel or more.
    first
        Row and column of the whole volume at which `values` starts.
    slices
        (slices,) numbers of the slices.
    """

    values: np.ndarray
    first: tuple[int, int]
    slices: np.ndarray


def soften(mask: np.ndarray, box: Box, slices: np.ndarray) -> Soft:
    """Take slices (numbers of the whole volume) of a mask within a box and soften their edges."""
    pad = 3
    chosen = np.pad(mask[slices - box[0].start], ((0, 0), (pad, pad), (pad, pad))).astype(np.float32)
    for axis in (1, 2):
        chosen = gaussian_filter1d(chosen, _SOFT, axis=axis, truncate=3)
    return Soft(chosen, (box[1].start - pad, box[2].start - pad), slices)


@dataclass(frozen=True, eq=False)
class Section:
    """What is covered, seen along `frame.u`.

    Attributes
    ----------
    frame
        The axes.
    front, up
        (n,) and (m,) mm along `v` and `w`, `STEP` apart.
    slices
        (slices, m, n) cover of each slice, 0 to 1.
    right
        (slices,) mm along `u` at which each slice passes the frame's origin.
    """

    frame: Frame
    front: np.ndarray
    up: np.ndarray
    slices: np.ndarray
    right: np.ndarray

    @property
    def cover(self) -> np.ndarray:
        """(m, n) mean over the slices."""
        return self.slices.mean(0)


def take(space: Space, soft: Soft, frame: Frame, reach: tuple[float, float]) -> Section:
    """Look at slices along `frame.u`, as far as `reach` mm to front and back, and up and down."""
    front, up = (np.arange(-np.ceil(r / STEP), np.ceil(r / STEP) + 1) * STEP for r in reach)
    places = frame.origin + front[None, :, None] * frame.v + up[:, None, None] * frame.w
    index = places @ space.inverse[:3, :3].T + space.inverse[:3, 3]
    along = space.inverse[:3, :3] @ frame.u
    centre = space.index(frame.origin[None])[0, 0]
    planes = np.empty((len(soft.slices), len(up), len(front)), np.float32)
    for out, values, number in zip(planes, soft.values, soft.slices, strict=True):
        step = (number - index[..., 0]) / along[0]
        rows = index[..., 1] + step * along[1] - soft.first[0]
        columns = index[..., 2] + step * along[2] - soft.first[1]
        map_coordinates(values, (rows, columns), out, order=1, mode="constant")
    return Section(frame, front, up, planes, (soft.slices - centre) / along[0])


def crossings(cover: np.ndarray, at: np.ndarray, start: int, sign: int) -> np.ndarray:
    """Where columns of `cover` end, going from row `start` up (`sign` 1) or down (-1).

    Parameters
    ----------
    cover
        (m, n), 0 to 1.
    at
        (m,) mm of the rows.

    Returns
    -------
    numpy.ndarray
        (n,) mm at which the cover falls below a half; NaN where nothing is at the start, or it never ends.
    """
    run = cover[start:] if sign > 0 else cover[start::-1]
    places = at[start:] if sign > 0 else at[start::-1]
    outside = run < 0.5
    first = outside.argmax(0)
    fine = outside.any(0) & (first > 0)
    last = np.maximum(first - 1, 0)
    columns = np.arange(cover.shape[1])
    inner, outer = run[last, columns], run[first, columns]
    share = (inner - 0.5) / np.maximum(inner - outer, 1e-6)
    return np.where(fine, places[last] + sign * STEP * share, np.nan)
