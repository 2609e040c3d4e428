"""What is read off a whole scan before its values are changed. Quick, and the same every time."""

from __future__ import annotations

import numpy as np

from napari_spineseg.scan import Scan

# Voxels that are looked at: percentiles move by less than noise does when more are.
_LOOKED_AT = 2**20


def sample(scan: Scan) -> np.ndarray:
    """(n,) float64: voxels on a regular lattice, those at the lowest value left out.

    Padding, and air of scanners that clip at 0, sit at the lowest value and say nothing about
    tissue. A constant scan gives that one value.
    """
    step = max(1, int(np.ceil((scan.voxels.size / _LOOKED_AT) ** (1 / 3))))
    # Few slices: thin out rows and columns only as far as the others allow.
    steps = [min(step, max(1, n // 8)) for n in scan.voxels.shape]
    values = scan.voxels[tuple(slice(None, None, s) for s in steps)].ravel().astype(np.float64)
    inside = values[values > values.min()]
    return inside if len(inside) else values[:1]


def noise(scan: Scan) -> float:
    """Standard deviation of the noise, in the scan's grey values.

    From the differences that a 3 × 3 Laplacian leaves in sagittal slices (Immerkær, "Fast noise
    variance estimation", CVIU 1996), with the median in place of the mean, so that edges do not
    count as noise: sigma = 1.4826 · median(|L * I|) / 6, over pixels above the lowest value.
    """
    view = scan.sagittal()
    step = max(1, len(view) // 16)
    found = []
    for slice_ in view[::step]:
        values = slice_.astype(np.float32)
        rows = values[:-2] - 2 * values[1:-1] + values[2:]
        both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
        inside = values[1:-1, 1:-1] > values.min()
        found.append(np.abs(both[inside]))
    differences = np.concatenate(found) if found else np.zeros(0)
    return float(1.4826 * np.median(differences) / 6) if differences.size else 0.0
