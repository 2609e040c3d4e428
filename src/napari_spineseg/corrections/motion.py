"""How anatomy moves from slice to slice: what is where on the next one, as the image says.

Optical flow between neighbouring slices (iterative Lucas-Kanade, Le Besnerais and Champagnat, ICIP 2005),
on pixels of about a millimetre, chained from slice to slice. Slices that are far apart do not move into one
another; there the flow is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.registration import optical_flow_ilk

from napari_spineseg.corrections.edit import Spacing

# Pixels of this size are enough: outlines move smoothly.
_PIXEL_MM = 1.0
# What moves together, to either side, mm.
_WINDOW_MM = 4.5
_ITERATIONS = 5
# Slices further apart than this show other things, mm.
_APART_MM = 2.5
# Nothing moves further than this from one slice to the next, mm.
_MOST_MM = 3.0


class Span(NamedTuple):
    """Rows and columns of the image that are looked at."""

    rows: slice
    columns: slice


class Motion:
    """Where on slice `a` that is which is at some place of slice `b`.

    Parameters
    ----------
    image
        (slices, rows, columns), any real dtype.
    spacing
        mm along the axes.
    span
        The only part that matters.
    """

    def __init__(self, image: np.ndarray, spacing: Spacing, span: Span) -> None:
        self._image, self._span = image, span
        self._step = tuple(max(1, round(_PIXEL_MM / step)) for step in spacing[1:])
        self._pixel = tuple(n * step for n, step in zip(self._step, spacing[1:], strict=True))
        self._apart = spacing[0]
        self._small: dict[int, np.ndarray] = {}
        self._next: dict[tuple[int, int], np.ndarray] = {}
        self._range: tuple[float, float] | None = None

    @property
    def moves(self) -> bool:
        """Whether the slices are near enough to be followed."""
        return self._apart <= _APART_MM

    def from_to(self, source: int, target: int) -> np.ndarray:
        """(2, rows, columns) float32 over the span: add it to a pixel of slice `target` to get to `source`.

        In voxels. Zero where slices are too far apart.
        """
        shape = tuple(s.stop - s.start for s in self._span)
        if source == target or not self.moves:
            return np.zeros((2, *shape), np.float32)
        way = 1 if source > target else -1
        total = np.zeros_like(self._between(target, target + way))
        grid = np.stack(np.meshgrid(*map(np.arange, total.shape[1:]), indexing="ij")).astype(np.float32)
        for at in range(target, source, way):
            place = grid + total
            step = self._between(at, at + way)
            total += np.stack(
                [ndimage.map_coordinates(part, place, order=1, mode="nearest") for part in step]
            )
        return np.stack(
            [_grown(part, shape, self._step) * n for part, n in zip(total, self._step, strict=True)]
        )

    def _between(self, target: int, source: int) -> np.ndarray:
        """(2, h, w) on small pixels, from a slice to its neighbour; looked at once."""
        if (target, source) not in self._next:
            reach = max(2, round(_WINDOW_MM / min(self._pixel)))
            flow = optical_flow_ilk(
                self._seen(target),
                self._seen(source),
                radius=reach,
                num_warp=_ITERATIONS,
                gaussian=True,
                dtype=np.float32,
            )
            most = _MOST_MM / np.array(self._pixel, np.float32)[:, None, None]
            self._next[target, source] = np.clip(np.nan_to_num(flow), -most, most)
        return self._next[target, source]

    def _seen(self, number: int) -> np.ndarray:
        """A slice on small pixels, most of it between 0 and 1."""
        if number not in self._small:
            plane = np.asarray(self._image[number])[self._span].astype(np.float32)
            rows, columns = (n // f * f for n, f in zip(plane.shape, self._step, strict=True))
            blocks = plane[:rows, :columns].reshape(
                rows // self._step[0], self._step[0], columns // self._step[1], self._step[1]
            )
            self._small[number] = ndimage.gaussian_filter(blocks.mean((1, 3)), 0.5)
        if self._range is None:  # one for all slices, or the same bone would be of two greys
            low, high = np.percentile(self._small[number], (2, 98))
            self._range = float(low), max(float(high - low), 1e-6)
        low, size = self._range
        return np.clip((self._small[number] - low) / size, 0, 1.5)


def _grown(part: np.ndarray, shape: tuple[int, int], step: tuple[int, int]) -> np.ndarray:
    """(h, w) on small pixels as (rows, columns) on the image's own."""
    at = [(np.arange(n, dtype=np.float32) + 0.5) / f - 0.5 for n, f in zip(shape, step, strict=True)]
    place = np.stack(np.meshgrid(*at, indexing="ij"))
    return ndimage.map_coordinates(part, place, order=1, mode="nearest").astype(np.float32)
