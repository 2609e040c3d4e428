"""CLAHE: contrast-limited adaptive histogram equalisation, slice by slice."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.slices import each_slice
from napari_spineseg.preprocessing.statistics import sample
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# More regions than this along a side would leave too few pixels in each to have a histogram.
_MOST_REGIONS = 32


class Clahe(Step):
    """Even out contrast region by region (scikit-image's `equalize_adapthist`); 0 to 1, float32."""

    title: ClassVar[str] = "Local contrast"
    help: ClassVar[str] = "Even out contrast region by region (CLAHE), for looking more than for measuring."
    slicewise: ClassVar[bool] = True
    same_units: ClassVar[bool] = False

    step: Literal["clahe"] = "clahe"
    region_mm: float = Field(
        40.0, ge=5, le=500, title="Region (mm)", description="Size of the regions that are evened out"
    )
    limit_percent: float = Field(
        1.0,
        ge=0.1,
        le=100,
        title="Limit (%)",
        description="How much contrast may be stretched; 100 is without limit",
    )

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """What becomes 0 and 1 before equalisation, so that slices stay comparable, in grey values."""
        low, high = np.percentile(sample(scan), (0.1, 99.9))
        return {"low": float(low), "high": float(high)}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Equalised slices."""
        from skimage.exposure import equalize_adapthist

        view = scan.grid.to_orientation().grid
        size = [
            int(np.clip(round(self.region_mm / mm), max(2, -(-n // _MOST_REGIONS)), n))
            for n, mm in zip(view.shape[1:], view.spacing[1:], strict=True)
        ]
        low, high = np.float32(measured["low"]), np.float32(measured["high"])
        limit = self.limit_percent / 100
        width = high - low if high > low else np.float32(1)

        def equalise(slice_: np.ndarray) -> np.ndarray:
            grey = np.clip((slice_ - low) / width, 0, 1)
            # scikit-image stretches to each slice's own range; one without contrast has none to even out.
            return equalize_adapthist(grey, size, limit) if grey.max() > grey.min() else grey

        return each_slice(scan, "Evening out contrast", equalise, control)
