"""Smooth the outline of a structure without making it smaller."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, box_of, edit_to, margin_of, nothing
from napari_spineseg.corrections.tools.within import restrict


def smooth(
    labels: np.ndarray,
    label: int,
    mm: float,
    spacing: Spacing,
    plane: tuple[int, int] | None = None,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Blur `label` with a Gaussian of `mm` (standard deviation) and cut where the volume stays the same.

    A cut at one half would eat convex and thin structures away. Along an axis whose voxels are
    thicker than the Gaussian nothing is blurred, so that thick slices do not melt into each other.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    plane
        (axis, index) of the only slice to work on; the whole volume by default.
    rule
        What may be smoothed over; by default background only.
    """
    box = restrict(box_of(labels, label, margin_of(2 * mm, spacing)), plane)
    if box is None:
        return nothing("There is nothing of this structure to smooth.")
    before = labels[box]
    inside = before == label
    size = np.count_nonzero(inside)
    if not size:
        return nothing("There is nothing of this structure to smooth.")
    sigma = [mm / step if step <= 2 * mm else 0.0 for step in spacing]
    soft = ndimage.gaussian_filter(inside.astype(np.float32), sigma, mode="nearest", truncate=3.0)
    soft[~(inside | rule.allows(before, label))] = 0
    cut = np.partition(soft.ravel(), -size)[-size]
    after = np.where(inside, 0, before)
    after[(soft >= cut) & (soft > 0)] = label
    edit = edit_to(before, after, box, "Smoothed.")
    return edit if len(edit) else nothing("It is smooth already.")
