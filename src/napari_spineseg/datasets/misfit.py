"""Whether labels lie where the image has edges.

Grids are compared first. Then the labels' outline is shifted by a few pixels in the plane: where a
shifted outline runs along much stronger edges than the outline itself, image and labels do not
belong together as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from napari_spineseg.datasets.checks import Looked, place_of
from napari_spineseg.datasets.findings import Finding
from napari_spineseg.scan import Scan, Segmentation

_REACH_MM = 8.0
_SLICES = 5
# Shifts up to this are a matter of how an outline was drawn.
_TOLERATED_MM = 2.0
# A shifted outline has to meet edges stronger by this factor to be believed.
_STRONGER = 1.15


def different_grids(name: str, scan: Scan, segmentation: Segmentation) -> Iterator[Finding]:
    """Image and labels that are not voxel on voxel."""
    if scan.voxels.shape != segmentation.labels.shape:
        sizes = (" × ".join(map(str, a.shape)) for a in (scan.voxels, segmentation.labels))
        yield Finding(
            name, "image-label misfit", "error", "The image is {} voxels, the labels {}.".format(*sizes)
        )
    elif not scan.grid.same_place_as(segmentation.grid, 0.05):
        off = np.abs(scan.affine - segmentation.affine).max()
        yield Finding(
            name,
            "image-label misfit",
            "error",
            f"Image and labels have different geometry in their headers (by up to {off:.3g} mm a voxel).",
        )


def shifted(case: Looked) -> Iterator[Finding]:
    """Outlines that fit the image better when they are moved."""
    if case.image is None or not case.structures.any():
        return
    found = best_shift(case.image, case.structures, case.spacing[1:])
    if found is None:
        return
    (down, back), factor = found
    yield case.finding(
        "image-label misfit",
        "warning",
        f"Labels would fit the image better {abs(down):.1f} mm {'lower' if down > 0 else 'higher'} and "
        f"{abs(back):.1f} mm further to the {'back' if back > 0 else 'front'} "
        f"(edges {100 * (factor - 1):.0f} % stronger).",
        place=place_of(case.structures > 0),
    )


def best_shift(
    image: np.ndarray, structures: np.ndarray, spacing: tuple[float, float]
) -> tuple[tuple[float, float], float] | None:
    """((mm down, mm to the back), how much stronger the edges are there), or None where labels fit.

    `image` and `structures`: (slices, height, width); `spacing`: mm of rows and columns.
    """
    labelled = np.flatnonzero(structures.any((1, 2)))
    picked = labelled[
        np.linspace(0, len(labelled) - 1, min(_SLICES, len(labelled)) + 2)[1:-1].round().astype(int)
    ]
    reach = [max(1, round(_REACH_MM / mm)) for mm in spacing]
    step = [max(1, n // 8) for n in reach]
    shifts = [
        (down, back)
        for down in range(-reach[0], reach[0] + 1, step[0])
        for back in range(-reach[1], reach[1] + 1, step[1])
    ]
    shifts.append((0, 0))
    totals = np.zeros(len(shifts))
    for index in np.unique(picked):
        smooth = ndimage.gaussian_filter(image[index].astype(np.float32), [1.0 / mm for mm in spacing])
        edges = ndimage.gaussian_gradient_magnitude(smooth, 1.0)
        inside = structures[index] > 0
        rows, columns = np.nonzero(inside & ~ndimage.binary_erosion(inside))
        for n, (down, back) in enumerate(shifts):
            r, c = rows + down, columns + back
            here = (r >= 0) & (r < edges.shape[0]) & (c >= 0) & (c < edges.shape[1])
            totals[n] += edges[r[here], c[here]].sum() / max(len(rows), 1)
    best = int(totals.argmax())
    moved = tuple(float(n * mm) for n, mm in zip(shifts[best], spacing, strict=True))
    factor = totals[best] / max(totals[-1], 1e-9)
    if np.hypot(*moved) <= _TOLERATED_MM or factor < _STRONGER:
        return None
    return moved, float(factor)
