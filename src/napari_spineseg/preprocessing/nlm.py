"""Denoise by non-local means."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.slices import each_slice
from napari_spineseg.preprocessing.statistics import noise
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class NonLocalMeans(Step):
    """Average pixels whose surroundings look alike (Buades 2005, in Darbon's fast form 2008)."""

    title: ClassVar[str] = "Denoise (non-local means)"
    help: ClassVar[str] = "Average pixels with similar surroundings; keeps edges and fine lines; slow."
    slicewise: ClassVar[bool] = True
    quick: ClassVar[bool] = False

    step: Literal["nlm"] = "nlm"
    strength: float = Field(
        0.8, gt=0, ge=0.05, le=5, title="Strength", description="In multiples of the noise that was measured"
    )
    patch_px: int = Field(5, ge=3, le=15, title="Patch (pixels)", description="Size of what is compared")
    search_px: int = Field(6, ge=1, le=21, title="Search (pixels)", description="How far away to look")

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """The noise, in grey values."""
        return {"noise": noise(scan)}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Smoother slices, float32."""
        from skimage.restoration import denoise_nl_means

        sigma = measured["noise"]
        if sigma <= 0:
            return scan.with_voxels(scan.voxels.astype(np.float32))

        def denoise(slice_: np.ndarray) -> np.ndarray:
            return denoise_nl_means(
                slice_, self.patch_px, self.search_px, h=self.strength * sigma, fast_mode=True, sigma=sigma
            )

        return each_slice(scan, "Denoising", denoise, control)
