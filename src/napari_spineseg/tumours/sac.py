"""Where the spinal canal is, row by row: what is in front of it, behind it and to its sides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL

# A notch that a finding makes in the canal is shorter than this, mm.
_SMOOTH_MM = 15.0


@dataclass(frozen=True, eq=False)
class Sac:
    """Borders of the canal in every row, (rows,) each: slices `left` to `right`, columns `front` to `back`.

    In a row without canal they are those of the rows around it; `seen` (bool) are those from its first row
    to its last.
    """

    left: np.ndarray
    right: np.ndarray
    front: np.ndarray
    back: np.ndarray
    seen: np.ndarray

    def from_corner(self, slices: int, columns: int) -> Sac:
        """The same borders counted from so many slices and columns further on."""
        return replace(
            self,
            left=self.left - slices,
            right=self.right - slices,
            front=self.front - columns,
            back=self.back - columns,
        )

    def ahead(self, shape: tuple[int, ...], margin: float) -> np.ndarray:
        """Bool of this shape: in front of the canal, or behind its front by less than `margin` columns."""
        row = np.arange(shape[2])[None, None] < (self.front + margin)[None, :, None]
        return np.broadcast_to(row, shape)

    def strip(self, shape: tuple[int, ...], first: float, last: float) -> np.ndarray:
        """Bool of this shape: to the canal's sides, `first` to `last` columns behind its front."""
        slices, columns = np.arange(shape[0])[:, None, None], np.arange(shape[2])[None, None]
        front, left, right = (border[None, :, None] for border in (self.front, self.left, self.right))
        sides = (slices < left) | (slices > right)
        return sides & (columns >= front + first) & (columns <= front + last)

    def holds(self, places: np.ndarray, before: float, behind: float) -> np.ndarray:
        """Whether each of (n, 3) `places` is in the canal's slices, and from so many columns `before` its
        front to so many `behind` its back."""
        rows, columns = places[:, 1], places[:, 2]
        within = (columns >= self.front[rows] - before) & (columns <= self.back[rows] + behind)
        return within & ~self.lateral(places)

    def lateral(self, places: np.ndarray) -> np.ndarray:
        """Whether each of (n, 3) `places` is to the canal's sides."""
        slices, rows = places[:, 0], places[:, 1]
        return (slices < self.left[rows]) | (slices > self.right[rows])

    def before(self, places: np.ndarray, columns: float) -> np.ndarray:
        """Whether each of (n, 3) `places` is at least so many columns in front of the canal."""
        return places[:, 2] < self.front[places[:, 1]] - columns

    def before_back(self, places: np.ndarray) -> np.ndarray:
        """Whether each of (n, 3) `places` is not behind the canal."""
        return places[:, 2] <= self.back[places[:, 1]]


def sac_of(labels: np.ndarray, row_mm: float) -> Sac | None:
    """Find the canal's borders.

    Parameters
    ----------
    labels
        (slices, rows, columns), `levels` scheme, sagittal.
    row_mm
        Spacing of the rows.

    Returns
    -------
    Sac
        None without a canal.
    """
    # Slow to import, and the Segment page, which is there first, knows this module.
    from scipy import ndimage

    canal = labels == CANAL_LABEL
    known = np.flatnonzero(canal.any((0, 2)))
    if not len(known):
        return None
    size = max(1, round(_SMOOTH_MM / row_mm)) | 1
    rows = np.arange(labels.shape[1])

    def borders(flat: np.ndarray) -> list[np.ndarray]:
        """First and last of each row of (known rows, n), notches filled, in every row."""
        ends = flat.argmax(1), flat.shape[1] - 1 - flat[:, ::-1].argmax(1)
        return [
            np.interp(rows, known, ndimage.median_filter(end.astype(float), size, mode="nearest"))
            for end in ends
        ]

    left, right = borders(canal.any(2).T[known])
    front, back = borders(canal.any(0)[known])
    # Its sides come and go in the outermost slice: the widest near a row counts.
    left, right = ndimage.minimum_filter1d(left, size), ndimage.maximum_filter1d(right, size)
    return Sac(left, right, front, back, (rows >= known[0]) & (rows <= known[-1]))
