"""Where voxels are in the patient: shape and affine, exact changes of axis order, and parts of a grid.

World coordinates are RAS millimetres (x grows to the right, y to the front, z upward), as in NIfTI.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel import orientations

SAGITTAL = ("R", "I", "P")
"""Axes of the sagittal view: slices to the right, rows downward, columns to the back.

Shown on a screen this puts superior up and anterior left, as sagittal spine MRI is read.
"""


def sagittal_affine(spacing: tuple[float, float, float]) -> np.ndarray:
    """(4, 4) index to RAS mm of slices to the right, rows downward and columns to the back.

    `spacing` is the distance of slices, of rows and of columns, in mm; voxel (0, 0, 0) is at the origin.
    """
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2] = spacing[0], -spacing[1], -spacing[2]
    affine[3, 3] = 1
    return affine


Box = tuple[slice, slice, slice]
"""A part of a volume: the indices along each axis, from the first to behind the last."""


def grown(box: Box, by: Iterable[int], shape: tuple[int, ...]) -> Box:
    """`box` with `by` voxels more on either side of each axis, as far as there are any.

    >>> grown((slice(0, 2), slice(1, 3), slice(4, 6)), (1, 1, 3), (9, 9, 8))
    (slice(0, 3, None), slice(0, 4, None), slice(1, 8, None))
    """
    return tuple(
        slice(max(0, span.start - more), min(size, span.stop + more))
        for span, more, size in zip(box, by, shape, strict=True)
    )


def enclosing(*boxes: Box) -> Box:
    """The smallest box around some boxes.

    >>> enclosing((slice(0, 2), slice(1, 3), slice(4, 6)), (slice(1, 3), slice(1, 2), slice(0, 1)))
    (slice(0, 3, None), slice(1, 3, None), slice(0, 6, None))
    """
    return tuple(
        slice(min(span.start for span in spans), max(span.stop for span in spans))
        for spans in zip(*boxes, strict=True)
    )


def relative_to(box: Box, outer: Box) -> Box:
    """`box`, counted from the first voxel of `outer`: where it is in an array of `outer`'s voxels.

    >>> relative_to((slice(3, 4), slice(5, 7), slice(8, 9)), (slice(2, 9), slice(5, 9), slice(1, 9)))
    (slice(1, 2, None), slice(0, 2, None), slice(7, 8, None))
    """
    return tuple(
        slice(span.start - start.start, span.stop - start.start)
        for span, start in zip(box, outer, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Grid:
    """A voxel grid in the patient.

    Attributes
    ----------
    shape
        Voxels along each axis, (i, j, k).
    affine
        (4, 4) float64, index (i, j, k, 1) to RAS millimetres of the voxel's centre.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along each axis, mm."""
        return tuple(float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def origin(self) -> np.ndarray:
        """(3,) RAS mm of the centre of voxel (0, 0, 0)."""
        return self.affine[:3, 3]

    @property
    def direction(self) -> np.ndarray:
        """(3, 3) unit vectors of the axes, one a column."""
        return self.affine[:3, :3] / np.asarray(self.spacing)

    @property
    def orientation(self) -> str:
        """Closest anatomical axes, for instance "RAS" or "PIR"."""
        return "".join(nib.aff2axcodes(self.affine))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def same_place_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether every voxel of both grids is at the same place."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine, atol=tolerance_mm)

    def to_orientation(self, codes: tuple[str, str, str] = SAGITTAL) -> Reorientation:
        """How to swap and flip axes so that they run closest to `codes`."""
        start = orientations.io_orientation(self.affine)
        turn = orientations.ornt_transform(start, orientations.axcodes2ornt(codes))
        return Reorientation(self, turn)


@dataclass(frozen=True, eq=False)
class Reorientation:
    """A change of axis order and direction. Exact, and exactly undone: no voxel is resampled."""

    source: Grid
    turn: np.ndarray

    @property
    def grid(self) -> Grid:
        """The grid that `apply` puts an array on."""
        shape = np.empty(3, int)
        shape[self.turn[:, 0].astype(int)] = self.source.shape
        affine = self.source.affine @ orientations.inv_ornt_aff(self.turn, self.source.shape)
        return Grid(tuple(int(n) for n in shape), affine)

    def apply(self, array: np.ndarray) -> np.ndarray:
        """`array` of the source's shape, seen along the new axes (a view where numpy allows)."""
        return orientations.apply_orientation(array, self.turn)

    def invert(self, array: np.ndarray) -> np.ndarray:
        """An array on `grid`, brought back to the source's axes."""
        return orientations.apply_orientation(array, _inverse(self.turn))


def _inverse(turn: np.ndarray) -> np.ndarray:
    """The axis change that undoes `turn`."""
    inverse = np.empty_like(turn)
    for axis, (target, flip) in enumerate(turn):
        inverse[int(target)] = axis, flip
    return inverse
