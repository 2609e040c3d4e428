"""Slices as published: Ahmed et al. 2024, arXiv 2409.06018 (see also `apta`)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.resample import respaced
from napari_spineseg.preprocessing.step import GeometricStep, Measured, Target, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class PublishedSlices(GeometricStep):
    """Sagittal slices, each stretched to 8 bit between its own minimum and maximum, 640 × 512 pixels."""

    title: ClassVar[str] = "Slices as published"
    help: ClassVar[str] = "Slices as Ahmed et al. 2024 prepared them: 8 bit by each slice's range, one size."
    same_units: ClassVar[bool] = False

    step: Literal["published-slices"] = "published-slices"
    height_px: int = Field(640, ge=16, le=4096, title="Height (pixels)", description="Rows of every slice")
    width_px: int = Field(512, ge=16, le=4096, title="Width (pixels)", description="Columns of every slice")

    def target(self, scan: Scan, tools: Tools, control: Control) -> Target:
        """Sagittal axes, and pixels as large as the field of view then makes them."""
        view = scan.grid.to_orientation().grid
        _, height, width = view.shape
        down, back = view.spacing[1:]
        spacing = [view.spacing[0], down * height / self.height_px, back * width / self.width_px]
        return Target(respaced(view, spacing))

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """8 bit first, then resized, in the published order."""
        view = scan.grid.to_orientation()
        grey = np.ascontiguousarray(view.invert(to_8_bit(view.apply(scan.voxels))))
        return super().change(scan.with_voxels(grey), measured, control)


def to_8_bit(slices: np.ndarray) -> np.ndarray:
    """(slices, height, width) of any dtype to uint8: each slice from its minimum (0) to its maximum (255).

    A constant slice becomes 0. Truncated, not rounded, as `astype` after `255 * (x - min) / (max - min)`.
    """
    out = np.empty(slices.shape, np.uint8)
    for source, target in zip(slices, out, strict=True):
        low, high = float(source.min()), float(source.max())
        target[...] = 255 * ((source - low) / (high - low)) if high > low else 0
    return out
