"""Z-score: mean 0, standard deviation 1."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from napari_spineseg.preprocessing.statistics import sample
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


class ZScore(Step):
    """(x - mean) / standard deviation, over the scan's voxels above its lowest value; float32."""

    title: ClassVar[str] = "Z-score"
    help: ClassVar[str] = "Bring the scan to mean 0 and standard deviation 1, padding left out of both."
    slicewise: ClassVar[bool] = True
    same_units: ClassVar[bool] = False

    step: Literal["zscore"] = "zscore"

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """Mean and standard deviation, in grey values."""
        values = sample(scan)
        return {"mean": float(values.mean()), "deviation": float(values.std()) or 1.0}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Values in standard deviations."""
        voxels = scan.voxels.astype(np.float32)
        voxels -= np.float32(measured["mean"])
        voxels /= np.float32(measured["deviation"])
        return scan.with_voxels(voxels)
