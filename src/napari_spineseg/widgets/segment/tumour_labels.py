"""One tumour among the labels of a layer: where it is, what it grew in, and the step to its next outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels

from napari_spineseg.corrections.edit import Edit, box_of, edit_to

if TYPE_CHECKING:
    from napari_spineseg.tumours.click import Outline

# Farther from the outline than this, mm, a click means another tumour.
_NEAR_MM = 8.0


def edit_for(layer: Labels, before: Outline | None, after: Outline, label: int, under: np.ndarray) -> Edit:
    """From one outline of a tumour to the next, as one step: what it no longer covers is as it was.

    `under` are the labels before the tumour's first click.
    """
    spans = [after.box, *([before.box] if before is not None else [])]
    box = tuple(slice(min(b[n].start for b in spans), max(b[n].stop for b in spans)) for n in range(3))
    was = np.asarray(layer.data[box])
    now = was.copy()
    now[was == label] = under[box][was == label]
    inner = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(after.box, box, strict=True))
    now[inner][after.mask] = label
    return edit_to(was, now, box, "Outlined a tumour")


def label_at(layer: Labels, point: tuple[float, ...]) -> int:
    """The label under a point; 0 outside the layer."""
    index = tuple(round(v) for v in point)
    inside = all(0 <= v < n for v, n in zip(index, layer.data.shape, strict=True))
    return int(layer.data[index]) if inside else 0


def region_of(layer: Labels, label: int) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """The smallest box around `label`, and where it is in there."""
    box = box_of(layer.data, label)
    return box, np.asarray(layer.data[box]) == label


def next_to(layer: Labels, box: tuple[slice, slice, slice], mask: np.ndarray) -> np.ndarray:
    """For each voxel of `mask`, the nearest label that is none of it: what the tumour grew in."""
    from scipy import ndimage

    wide = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    around = np.asarray(layer.data[wide])
    mine = np.zeros(around.shape, bool)
    mine[tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))] = mask
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
