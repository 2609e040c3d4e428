"""Resample like: onto the grid of another scan."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spineseg.preprocessing.step import GeometricStep, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class ResampleLike(GeometricStep):
    """Show the scan voxel for voxel on another scan's grid, by what both headers say."""

    title: ClassVar[str] = "Resample like"
    help: ClassVar[str] = "Put the scan on the grid of another scan of the same visit; also oblique."

    step: Literal["resample-like"] = "resample-like"
    reference: str = Field(
        "", title="Reference", description="The scan whose grid to take: a file or a layer"
    )

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """The reference's grid."""
        return Target(tools.open_scan(self.reference).grid)
