"""Histogram match: give a scan the distribution of grey values of another one."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.statistics import sample
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# Landmarks of the two distributions, in percent; between them values are mapped linearly, as in
# Nyúl and Udupa, "On standardizing the MR image intensity scale", 1999.
_PERCENTS = (0.1, 1, 2, 5, *range(10, 100, 5), 98, 99, 99.9)


class HistogramMatch(Step):
    """Map percentiles of the scan onto those of a reference; beyond them the ends are kept."""

    title: ClassVar[str] = "Match histogram"
    help: ClassVar[str] = "Make a scan as bright as a reference, percentile by percentile."
    slicewise: ClassVar[bool] = True
    same_units: ClassVar[bool] = False

    step: Literal["match"] = "match"
    reference: str = Field("", title="Reference", description="The scan to look like: a file or a layer")

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """Percentiles of both scans, in grey values."""
        here = np.percentile(sample(scan), _PERCENTS)
        there = np.percentile(sample(tools.open_scan(self.reference)), _PERCENTS)
        # np.interp needs values that grow; a scan with few grey values has percentiles that do not.
        here, first = np.unique(here, return_index=True)
        return {"from": here.tolist(), "to": there[first].tolist()}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Mapped values, float32."""
        out = np.empty(scan.voxels.shape, np.float32)
        # np.interp works in float64: slice by slice, so that no copy of the whole scan is that wide.
        for source, target in zip(scan.voxels, out, strict=True):
            target[...] = np.interp(source, measured["from"], measured["to"])
        return scan.with_voxels(out)
