"""Denoise by total variation."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.slices import each_slice
from napari_spineseg.preprocessing.statistics import noise
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class TotalVariation(Step):
    """Flatten noise, keep edges: Rudin, Osher and Fatemi's model by Chambolle's method (2004)."""

    title: ClassVar[str] = "Denoise (total variation)"
    help: ClassVar[str] = "Flatten noise between edges. Quick; too strong looks like paint."
    slicewise: ClassVar[bool] = True

    step: Literal["tv"] = "tv"
    strength: float = Field(
        1.0, gt=0, ge=0.05, le=10, title="Strength", description="In multiples of the noise that was measured"
    )
    iterations: int = Field(
        30, ge=1, le=500, title="Iterations", description="More come closer to the optimum"
    )

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """The noise, in grey values."""
        return {"noise": noise(scan)}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Flatter slices, float32."""
        from napari_spineseg.preprocessing.chambolle import flatten

        weight = self.strength * measured["noise"]
        if weight <= 0:
            return scan.with_voxels(scan.voxels.astype(np.float32))
        return each_slice(scan, "Denoising", lambda s: flatten(s, weight, self.iterations), control)
