"""Whether labels lie where the image has edges.

Grids are compared first. Then labels are shifted by a few millimetres in the plane. Where they would
both explain clearly more of the grey values around them and have their outline on stronger edges,
image and labels do not belong together as they are. Either alone is no proof: the strongest edge
near a vertebra is that of the fluid behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from napari_spineseg.datasets.checks import Looked, place_of
from napari_spineseg.datasets.findings import Finding
from napari_spineseg.scan import Scan, Segmentation

_REACH_MM = 8.0
_SLICES = 5
# Shifts up to this are a matter of how an outline was drawn.
_TOLERATED_MM = 2.0
# To be believed, shifted labels have to have edges stronger by this factor, explain more by this
# factor, and explain at least this share of the variance.
_STRONGER, _BETTER, _EXPLAINED = 1.05, 1.15, 0.1
# Grey values are compared within the labels and so far around them.
_AROUND_MM = 10.0
_LOOKED_AT = 5000  # pixels a slice


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
        f"(explaining {100 * (factor - 1):.0f} % more of its grey values).",
        place=place_of(case.structures > 0),
    )


def best_shift(
    image: np.ndarray, structures: np.ndarray, spacing: tuple[float, float]
) -> tuple[tuple[float, float], float] | None:
    """((mm down, mm to the back), how much more they explain there), or None where labels fit.

    `image` and `structures`: (slices, height, width); `spacing`: mm of rows and columns.
    """
    labelled = np.flatnonzero(structures.any((1, 2)))
    picked = np.linspace(0, len(labelled) - 1, min(_SLICES, len(labelled)) + 2)[1:-1]
    shifts = _shifts(spacing)
    edges, explained = np.zeros(len(shifts)), np.zeros(len(shifts))
    indices = np.unique(labelled[picked.round().astype(int)])
    for index in indices:
        found = _fit(image[index], structures[index], shifts, spacing)
        edges += found[0] / len(indices)
        explained += found[1] / len(indices)
    stronger, better = (total / max(total[0], 1e-9) for total in (edges, explained))
    best = int(np.argmax(stronger * better))
    moved = tuple(float(n * mm) for n, mm in zip(shifts[best], spacing, strict=True))
    believed = stronger[best] > _STRONGER and better[best] > _BETTER and explained[best] > _EXPLAINED
    return (moved, float(better[best])) if believed and np.hypot(*moved) > _TOLERATED_MM else None


def _shifts(spacing: tuple[float, float]) -> list[tuple[int, int]]:
    """Shifts in pixels to try, none first."""
    rows, columns = (
        range(-max(1, round(_REACH_MM / mm)), max(1, round(_REACH_MM / mm)) + 1, max(1, round(1 / mm)))
        for mm in spacing
    )
    return [(0, 0), *((down, back) for down in rows for back in columns)]


def _fit(
    slice_: np.ndarray,
    structures: np.ndarray,
    shifts: Sequence[tuple[int, int]],
    spacing: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """For each shift: mean gradient along the outline, and share of the variance that labels explain."""
    low, high = np.percentile(slice_, (1, 99))
    smooth = ndimage.gaussian_filter(
        np.clip(slice_, low, high).astype(np.float32), [1 / mm for mm in spacing]
    )
    gradient = ndimage.gaussian_gradient_magnitude(smooth, 1.0)
    inside = structures > 0
    outline = np.nonzero(inside & ~ndimage.binary_erosion(inside))
    near = ndimage.distance_transform_edt(~inside, spacing) < _AROUND_MM
    thin = max(1, int(near.sum()) // _LOOKED_AT)
    around = tuple(axis[::thin] for axis in np.nonzero(near))
    labels = structures[around]
    edges, explained = np.zeros(len(shifts)), np.zeros(len(shifts))
    for n, shift in enumerate(shifts):
        values, _ = _at(gradient, outline, shift)
        edges[n] = values.mean() if len(values) else 0
        values, here = _at(smooth, around, shift)
        explained[n] = _share_explained(values, labels[here])
    return edges, explained


def _at(
    picture: np.ndarray, pixels: tuple[np.ndarray, ...], shift: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Values at shifted pixels, and which pixels are still in the picture."""
    rows, columns = pixels[0] + shift[0], pixels[1] + shift[1]
    here = (rows >= 0) & (rows < picture.shape[0]) & (columns >= 0) & (columns < picture.shape[1])
    return picture[rows[here], columns[here]], here


def _share_explained(values: np.ndarray, labels: np.ndarray) -> float:
    """Variance between classes over all variance."""
    total = float(values.var()) * len(values) if len(values) else 0.0
    if not total:
        return 0.0
    counts = np.bincount(labels)
    sums = np.bincount(labels, values)
    between = (sums**2 / np.maximum(counts, 1)).sum() - values.sum(dtype=np.float64) ** 2 / len(values)
    return float(between / total)
