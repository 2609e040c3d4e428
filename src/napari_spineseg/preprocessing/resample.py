"""Resample: other distances between voxels, the field of view kept."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# A result of more voxels than this is a slip of the pen (0.01 for 0.1), not a wish.
_MOST_VOXELS = 2**30


class Resample(GeometricStep):
    """Change the spacing in the plane, between slices, or all to one."""

    title: ClassVar[str] = "Resample"
    help: ClassVar[str] = "Make voxels finer or coarser; averages where they get coarser, so nothing aliases."

    step: Literal["resample"] = "resample"
    which: Literal["in-plane", "through-plane", "isotropic"] = Field(
        "in-plane",
        title="Which spacing",
        description="in-plane: pixels of a slice; through-plane: the distance between slices, which is the "
        "largest of the three; isotropic: all three",
    )
    spacing_mm: float = Field(
        0.5, gt=0, ge=0.05, le=20, title="Spacing (mm)", description="New distance between voxel centres"
    )
    interpolation: Literal["linear", "cubic"] = Field(
        "cubic",
        title="Interpolation",
        description="cubic is sharper, linear makes no new extremes",
    )

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The same field of view in other steps."""
        through = through_plane_axis(scan.grid)
        spacing = list(scan.spacing)
        for axis in range(3):
            if self.which == "isotropic" or (axis == through) == (self.which == "through-plane"):
                spacing[axis] = self.spacing_mm
        return Target(respaced(scan.grid, spacing))

    def kernel(self) -> str:
        """As the settings say."""
        return self.interpolation


def through_plane_axis(grid: Grid) -> int:
    """The axis that counts slices: the one with the largest spacing; left to right where all are alike."""
    spacing = np.array(grid.spacing)
    if spacing.max() > 1.01 * np.median(spacing):
        return int(spacing.argmax())
    return int(np.flatnonzero(grid.to_orientation().turn[:, 0] == 0)[0])


def respaced(grid: Grid, spacing: list[float]) -> Grid:
    """Another spacing around the same centre; so many voxels that the field of view is kept.

    Raises
    ------
    SettingsError
        If that would be more voxels than a computer can hold.
    """
    factors = np.array(spacing) / grid.spacing
    shape = np.maximum(1, np.rint(np.array(grid.shape) / factors)).astype(int)
    if np.prod(shape, dtype=float) > _MOST_VOXELS:
        raise SettingsError(
            f"Resample would make {' × '.join(map(str, shape))} voxels, too many to hold; "
            "choose a larger spacing."
        )
    affine = np.array(grid.affine, float)
    centre = affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + affine[:3, 3]
    affine[:3, :3] = affine[:3, :3] * factors
    affine[:3, 3] = centre - affine[:3, :3] @ ((shape - 1) / 2)
    return Grid(tuple(int(n) for n in shape), affine)
