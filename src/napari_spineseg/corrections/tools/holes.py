"""Close what a structure surrounds."""

from __future__ import annotations

import cc3d
import numpy as np

from napari_spineseg.corrections.edit import Edit, box_of, edit_where, nothing


def fill_holes(labels: np.ndarray, label: int, axis: int | None = None) -> Edit:
    """Fill background that `label` surrounds on all sides.

    A cavity that another structure reaches into is no hole: nothing but background changes.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    axis
        Look for holes in the slices across this axis; by default only cavities closed in all three
        dimensions count.
    """
    box = box_of(labels, label)
    if box is None:
        return nothing("There is nothing of this structure.")
    inside = labels[box] == label
    enclosed = _enclosed(inside) if axis is None else _enclosed_in_slices(inside, axis)
    edit = edit_where(_pure(enclosed, labels[box]), label, box, "Filled the holes.")
    return edit if len(edit) else nothing("There are no holes.")


def _enclosed(inside: np.ndarray) -> np.ndarray:
    """Everything outside of a mask that cannot reach the border of the array across faces."""
    framed = np.pad(~inside, 1, constant_values=True)
    pieces = cc3d.connected_components(framed, connectivity=6 if framed.ndim == 3 else 4)
    outside = pieces.flat[0]
    core = (slice(1, -1),) * framed.ndim
    return (framed & (pieces != outside))[core]


def _enclosed_in_slices(inside: np.ndarray, axis: int) -> np.ndarray:
    out = np.zeros_like(inside)
    for mask, hole in zip(np.moveaxis(inside, axis, 0), np.moveaxis(out, axis, 0), strict=True):
        hole[...] = _enclosed(np.ascontiguousarray(mask))
    return out


def _pure(enclosed: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Those cavities that hold background only."""
    if not enclosed.any():
        return enclosed
    cavities = cc3d.connected_components(enclosed, connectivity=6)
    mixed = np.unique(cavities[enclosed & (labels != 0)])
    return enclosed & ~np.isin(cavities, mixed)
