"""Clip: cut off the few brightest and darkest values."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from napari_spineseg.preprocessing.statistics import sample
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class Clip(Step):
    """Limit values to two percentiles of the scan; its dtype stays."""

    title: ClassVar[str] = "Clip"
    help: ClassVar[str] = "Cut off the few brightest and darkest values, such as fat near the coil."
    slicewise: ClassVar[bool] = True

    step: Literal["clip"] = "clip"
    lower_percent: float = Field(
        0.5, ge=0, le=50, title="From (%)", description="Percentile below which values are raised to it"
    )
    upper_percent: float = Field(
        99.5, ge=50, le=100, title="To (%)", description="Percentile above which values are lowered to it"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Clip:
        if self.lower_percent >= self.upper_percent:
            raise ValueError("the lower percentile of Clip has to be below the upper one")
        return self

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """Both limits, in grey values."""
        low, high = np.percentile(sample(scan), (self.lower_percent, self.upper_percent))
        return {"low": float(low), "high": float(high)}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Values within the limits."""
        kind = scan.voxels.dtype
        low, high = measured["low"], measured["high"]
        if kind.kind in "iu":
            low, high = int(np.floor(low)), int(np.ceil(high))
        return scan.with_voxels(np.clip(scan.voxels, kind.type(low), kind.type(high)))
