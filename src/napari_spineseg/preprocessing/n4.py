"""N4: take slow shading out of a scan."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spineseg.preprocessing.statistics import sample
from napari_spineseg.preprocessing.step import Measured, Step, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# The field is smooth: it is estimated on voxels of about this size.
_WORKING_MM = 4.0
_SLAB_VOXELS = 2**21
# A level ends when an iteration changes the field by less than this (coefficient of variation).
_THRESHOLD = 1e-4


class N4(Step):
    """Estimate the coil's shading (N4) and divide it out; float32. See `bias_field`."""

    title: ClassVar[str] = "Bias correction (N4)"
    help: ClassVar[str] = "Even out shading from the coil: bright near the back, dark towards the belly."
    quick: ClassVar[bool] = False

    step: Literal["n4"] = "n4"
    levels: int = Field(
        3, ge=1, le=5, title="Detail", description="Each level follows shading that changes twice as quickly"
    )
    iterations: int = Field(50, ge=1, le=500, title="Iterations", description="At most so many a level")

    def measure(self, scan: Scan, tools: Tools, control: Control) -> Measured:
        """The control points of the log field, on the grid of the scan."""
        from napari_spineseg.preprocessing.bias_field import estimate

        small = shrunken(scan, _WORKING_MM)
        mask = small > max(_threshold(sample(scan)), 0.0)
        if mask.sum() < 100:
            return {"lattices": []}
        field = estimate(small, mask, self.levels, self.iterations, _THRESHOLD, control)
        return {"lattices": [lattice.tolist() for lattice in field.lattices]}

    def change(self, scan: Scan, measured: Measured, control: Control) -> Scan:
        """Voxels divided by the field."""
        from napari_spineseg.preprocessing.bias_field import BiasField

        field = BiasField(tuple(np.array(lattice) for lattice in measured["lattices"]))
        shape = scan.voxels.shape
        out = np.empty(shape, np.float32)
        slab = max(1, min(shape[0], _SLAB_VOXELS // (shape[1] * shape[2])))
        for start in range(0, shape[0], slab):
            stop = min(start + slab, shape[0])
            gain = field.slab(shape, start, stop).neg_().exp_().numpy()
            np.multiply(scan.voxels[start:stop], gain, out=out[start:stop])
            control.step("Correcting", stop, shape[0])
        return scan.with_voxels(out)


def shrunken(scan: Scan, spacing_mm: float) -> np.ndarray:
    """Means over blocks of about `spacing_mm` that together cover the whole scan, float32."""
    edges = [
        np.linspace(0, n, max(1, min(n, round(n * mm / spacing_mm))) + 1).round().astype(int)
        for n, mm in zip(scan.voxels.shape, scan.spacing, strict=True)
    ]
    sizes = [np.diff(edge) for edge in edges]
    out = np.empty([len(size) for size in sizes], np.float32)
    for index, (start, stop) in enumerate(pairwise(edges[0])):
        part = scan.voxels[start:stop].sum(0, dtype=np.float64)
        part = np.add.reduceat(np.add.reduceat(part, edges[1][:-1], 0), edges[2][:-1], 1)
        out[index] = part / (sizes[0][index] * np.outer(sizes[1], sizes[2]))
    return out


def _threshold(values: np.ndarray) -> float:
    """Otsu's threshold between air and tissue, in grey values."""
    from skimage.filters import threshold_otsu

    # Of square roots: bright fat would otherwise pull it into the muscles.
    low = values.min()
    return float(threshold_otsu(np.sqrt(values - low)) ** 2 + low) if values.max() > low else float(low)
