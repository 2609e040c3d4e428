"""One tumour among the labels of a layer: where it is, what it grew in, and the step to its next outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_spineseg.corrections.edit import Edit, box_of, edit_to
from napari_spineseg.grid import Box, enclosing, grown, relative_to

if TYPE_CHECKING:
    from napari_spineseg.tumours.outline import Outline

# Farther from the outline than this, mm, a click means another tumour.
_NEAR_MM = 8.0


def edit_for(layer: Labels, before: Outline | None, after: Outline, label: int, under: np.ndarray) -> Edit:
    """From one outline of a tumour to the next, as one step: what it no longer covers is as it was.

    `under` are the labels before the tumour's first click.
    """
    box = after.box if before is None else enclosing(before.box, after.box)
    was = np.asarray(layer.data[box])
    now = was.copy()
    now[was == label] = under[box][was == label]
    now[relative_to(after.box, box)][after.mask] = label
    return edit_to(was, now, box, "Outlined a tumour")


def label_at(layer: Labels, point: tuple[float, ...]) -> int:
    """The label under a point; 0 outside the layer."""
    index = tuple(round(v) for v in point)
    inside = all(0 <= v < n for v, n in zip(index, layer.data.shape, strict=True))
    return int(layer.data[index]) if inside else 0


def region_of(layer: Labels, label: int) -> tuple[Box, np.ndarray]:
    """The smallest box around `label`, and where it is in there."""
    box = box_of(layer.data, label)
    return box, np.asarray(layer.data[box]) == label


def next_to(layer: Labels, box: Box, mask: np.ndarray) -> np.ndarray:
    """For each voxel of `mask`, the nearest label that is none of it: what the tumour grew in."""
    from scipy import ndimage

    wide = grown(box, (1, 1, 1), layer.data.shape)
    around = np.asarray(layer.data[wide])
    mine = np.zeros(around.shape, bool)
    mine[relative_to(box, wide)] = mask
    at = ndimage.distance_transform_edt(
        mine, sampling=layer.scale[-3:], return_distances=False, return_indices=True
    )
    return around[tuple(axis[mine] for axis in at)]


def is_near(outline: Outline, point: tuple[float, ...], layer: Labels) -> bool:
    """Whether a point is on an outline, or close to it."""
    places = np.argwhere(outline.mask) + [s.start for s in outline.box]
    if not len(places):
        return False
    return float(np.linalg.norm((places - point) * layer.scale[-3:], axis=1).min()) <= _NEAR_MM
