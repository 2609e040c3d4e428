"""Make a structure larger or smaller by a distance in millimetres."""

from __future__ import annotations

import edt
import numpy as np

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, box_of, edit_where, margin_of, nothing
from napari_spineseg.corrections.tools.within import restrict

# Distances are single precision: a voxel at exactly `mm` must not fall on either side by chance.
_ROUNDING = 1 + 1e-5


def grow(
    labels: np.ndarray,
    label: int,
    mm: float,
    spacing: Spacing,
    plane: tuple[int, int] | None = None,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Add what is within `mm` of `label`.

    Distances are from voxel centre to voxel centre: slices further apart than `mm` do not grow into
    each other.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    plane
        (axis, index) of the only slice to work on; the whole volume by default.
    rule
        What may be grown over; by default background only.
    """
    box = box_of(labels, label, margin_of(mm, spacing))
    box = restrict(box, plane)
    if box is None:
        return nothing("There is nothing of this structure to grow.")
    before = labels[box]
    far = edt.edt(before != label, anisotropy=spacing)
    added = (far > 0) & (far <= mm * _ROUNDING) & rule.allows(before, label)
    edit = edit_where(added, label, box, f"Grew by {mm:.2g} mm.")
    return edit if len(edit) else nothing("There is no room to grow: what is around may not change.")


def shrink(
    labels: np.ndarray, label: int, mm: float, spacing: Spacing, plane: tuple[int, int] | None = None
) -> Edit:
    """Take away what is within `mm` of the outside of `label`. The border of the scan is no outside.

    Parameters are those of `grow`.
    """
    box = restrict(box_of(labels, label, (1, 1, 1)), plane)
    if box is None:
        return nothing("There is nothing of this structure to shrink.")
    inside = labels[box] == label
    depth = edt.edt(inside, anisotropy=spacing)
    lost = inside & (depth <= mm * _ROUNDING)
    edit = edit_where(lost, 0, box, f"Shrank by {mm:.2g} mm.")
    return edit if len(edit) else nothing("Nothing is that close to the outside.")
