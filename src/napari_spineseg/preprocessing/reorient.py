"""Reorient: swap and flip axes, nothing is resampled."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spineseg.grid import SAGITTAL
from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class Reorient(GeometricStep):
    """Store the axes in the order and direction that is closest to the one asked for."""

    title: ClassVar[str] = "Reorient"
    help: ClassVar[str] = "Swap and flip axes to a standard order. Exact: no value changes."

    step: Literal["reorient"] = "reorient"
    axes: Literal["RIP", "RAS", "LPS", "LAS", "PIR"] = Field(
        "".join(SAGITTAL),
        title="Axes",
        description="Where the three axes run to: RIP is right, inferior (down), posterior, which makes the "
        "first axis count sagittal slices; RAS is NIfTI's usual, LPS DICOM's",
    )

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The same voxels along other axes."""
        return Target(scan.grid.to_orientation(tuple(self.axes)).grid)
