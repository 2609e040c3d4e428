"""What a person takes in at one look, and adding things up over it.

Sums are made on cells of about 2 mm: a place is sought to that precision, and quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spineseg.corrections.edit import Spacing

LOOK_MM = (6.0, 12.0, 12.0)
"""Half-axes of a look, mm, along (slices, rows, columns): about a vertebra on the slice that is shown,
and what a turn of the wheel to either side brings."""
_CELL_MM = 2.0

Point = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Cells:
    """Sums over blocks of voxels.

    Attributes
    ----------
    values
        (slices, rows, columns) of cells.
    factors
        Voxels a cell along each axis; the last cells may be cut off.
    spacing
        mm, of the voxels.
    """

    values: np.ndarray
    factors: tuple[int, int, int]
    spacing: Spacing

    @classmethod
    def of(cls, values: np.ndarray, spacing: Spacing) -> Cells:
        """Sums of `values`, given a voxel."""
        factors = tuple(max(1, round(_CELL_MM / step)) for step in spacing)
        for axis, factor in enumerate(factors):
            values = np.add.reduceat(values, np.arange(0, values.shape[axis], factor), axis=axis)
        return cls(values, factors, spacing)

    @property
    def size(self) -> tuple[float, ...]:
        """mm, of a cell."""
        return tuple(step * factor for step, factor in zip(self.spacing, self.factors, strict=True))

    def cell_of(self, point: Point) -> Point:
        """Where a voxel index is among the cells."""
        return tuple((p + 0.5) / f - 0.5 for p, f in zip(point, self.factors, strict=True))

    def point_of(self, cell: Point, shape: Sequence[int]) -> Point:
        """The voxel in the middle of a cell, in a volume of that shape."""
        middles = ((c + 0.5) * f - 0.5 for c, f in zip(cell, self.factors, strict=True))
        return tuple(float(np.clip(round(m), 0, n - 1)) for m, n in zip(middles, shape, strict=True))

    def seen_from(self, cell: Point) -> np.ndarray:
        """Bool, the cells within a look of one."""
        grids = np.ogrid[tuple(slice(0, n) for n in self.values.shape)]
        return self._inside([grid - c for grid, c in zip(grids, cell, strict=True)])

    def most(self) -> tuple[Point, float]:
        """The cell from which most is seen, and how much that is."""
        # It takes a second to import, with all of scipy's statistics: not while the page opens.
        from scipy.signal import fftconvolve

        reach = [int(look / step) for look, step in zip(LOOK_MM, self.size, strict=True)]
        kernel = self._inside(np.ogrid[tuple(slice(-r, r + 1) for r in reach)]).astype(np.float32)
        sums = fftconvolve(self.values, kernel)
        # Cut by hand: where the kernel is the larger one, "same" would mean its size.
        sums = sums[tuple(slice(r, r + n) for r, n in zip(reach, self.values.shape, strict=True))]
        cell = np.unravel_index(sums.argmax(), sums.shape)
        return tuple(int(c) for c in cell), float(sums[cell])

    def _inside(self, offsets: Sequence[np.ndarray]) -> np.ndarray:
        parts = zip(offsets, self.size, LOOK_MM, strict=True)
        return sum((offset * step / look) ** 2 for offset, step, look in parts) <= 1
