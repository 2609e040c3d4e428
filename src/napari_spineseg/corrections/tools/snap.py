"""Move an outline to the nearest edge in the image."""

from __future__ import annotations

import edt
import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, box_of, edit_to, margin_of, nothing
from napari_spineseg.corrections.tools.within import restrict

# Blur before the gradient is taken, in voxels of the plane: noise has edges too.
_BLUR = 0.7
# Width in voxels of the neighbourhood in which the two sides of the border are looked at.
_NEARBY = 5
# An axis whose voxels are this much longer than the shortest is not differentiated along.
_THICK = 2.5
_OUTSIDE, _INSIDE = 1, 2


def snap_to_edge(
    labels: np.ndarray,
    image: np.ndarray,
    label: int,
    spacing: Spacing,
    mm: float = 2.0,
    plane: tuple[int, int] | None = None,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Within `mm` of the outline, let the strongest image edge decide what is inside.

    A watershed of the gradient in a band around the outline, flooded from what is surely inside and
    surely outside. Gradients are taken within slices only where slices are thick.

    Parameters
    ----------
    labels, image
        (slices, rows, columns), the same shape.
    mm
        How far the outline may move. It does not move across slices that are further apart.
    plane
        (axis, index) of the only slice to work on; the whole volume by default.
    rule
        What may be taken; by default background only.
    """
    box = restrict(box_of(labels, label, margin_of(mm, spacing)), plane)
    if box is None:
        return nothing("There is nothing of this structure.")
    before = labels[box]
    inside = before == label
    free = inside | rule.allows(before, label)
    # With two numbers the transform gives the distance to the outline on both sides at once.
    depth = edt.edt(inside.astype(np.uint8) + 1, anisotropy=spacing)
    band = free & (depth <= mm)
    markers = np.where(band, 0, np.where(inside, _INSIDE, _OUTSIDE)).astype(np.int8)
    markers = _keep_a_core(markers, depth, inside)
    # Of what is sure, only the rim matters to the flood; the rest would cost most of the time.
    rim = ndimage.binary_dilation(band)
    soft, usable = _softened(image[box], spacing)
    # No flood across thick slices: what lies in the next one says little about this one's outline.
    edges = _edges(soft, usable, spacing)
    flooded = watershed(edges, np.where(rim, markers, 0), connectivity=_cross(usable), mask=rim)
    found = np.where(rim & (flooded > 0), flooded == _INSIDE, inside)
    found = _settle_the_border(found, band, soft, usable)
    after = np.where(inside, 0, before)
    after[found & free] = label
    edit = edit_to(before, after, box, "Moved the outline to the nearest edge.")
    return edit if len(edit) else nothing("The outline lies on the edge already.")


def _keep_a_core(markers: np.ndarray, depth: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Mark the middle, slice by slice, of what is too thin to have a sure inside: it would drown."""
    for number in range(len(markers)):
        if inside[number].any() and not (markers[number] == _INSIDE).any():
            deepest = depth[number][inside[number]].max()
            markers[number][inside[number] & (depth[number] >= 0.7 * deepest)] = _INSIDE
    return markers


def _softened(image: np.ndarray, spacing: Spacing) -> tuple[np.ndarray, list[int]]:
    """A slightly blurred image, and the axes along which neighbours are near enough to compare."""
    fine = min(spacing)
    usable = [n for n in range(3) if spacing[n] <= _THICK * fine and image.shape[n] > 1]
    sigma = [_BLUR if n in usable else 0.0 for n in range(3)]
    return ndimage.gaussian_filter(image.astype(np.float32), sigma, truncate=3.0), usable


def _edges(soft: np.ndarray, usable: list[int], spacing: Spacing) -> np.ndarray:
    """Size of the gradient, per mm."""
    total = np.zeros(soft.shape, np.float32)
    for axis in usable:
        total += np.square(np.gradient(soft, spacing[axis], axis=axis))
    return np.sqrt(total)


def _settle_the_border(
    found: np.ndarray, band: np.ndarray, soft: np.ndarray, usable: list[int]
) -> np.ndarray:
    """Give each voxel at the new border to the side that it looks like.

    A gradient is as large on one side of an edge as on the other, so a flood may end a voxel off.
    """
    cross = _cross(usable)
    border = band & (
        ndimage.binary_dilation(found, cross) ^ ndimage.binary_erosion(found, cross, border_value=1)
    )
    sides = []
    for side in (found & ~border, ~found & ~border):
        weight = _nearby(side.astype(np.float32), usable)
        mean = _nearby(np.where(side, soft, np.float32(0)), usable) / np.maximum(weight, 1e-6)
        sides.append((weight, mean))
    (weight_in, mean_in), (weight_out, mean_out) = sides
    known = border & (weight_in > 1e-3) & (weight_out > 1e-3)
    return np.where(known, np.abs(soft - mean_in) <= np.abs(soft - mean_out), found)


def _cross(usable: list[int]) -> np.ndarray:
    """Neighbours across faces, along some axes only: (3, 3, 3) bool."""
    cross = np.zeros((3, 3, 3), bool)
    cross[1, 1, 1] = True
    for axis in usable:
        cross[tuple(slice(None) if n == axis else 1 for n in range(3))] = True
    return cross


def _nearby(values: np.ndarray, usable: list[int]) -> np.ndarray:
    return ndimage.uniform_filter(values, [_NEARBY if n in usable else 1 for n in range(3)])
