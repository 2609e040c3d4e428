"""Fill the slices between those that were drawn.

Shape-based interpolation (Raya and Udupa, IEEE TMI 1990): between two slices the signed distance
to the outline is interpolated, and what is inside is filled. The outlines are first laid on each
other by their centroids (Herman et al., IEEE CG&A 1992), or a structure that runs obliquely through
the slices would vanish halfway.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import edt
import numpy as np
from scipy import ndimage

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, Spacing, box_of, edit_where, join, nothing

# Pixels around the outlines, so that the distance outside is known where they are moved to.
_MARGIN = 4


def fill_between(
    labels: np.ndarray,
    label: int,
    spacing: Spacing,
    axis: int = 0,
    span: tuple[int, int] | None = None,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Fill each run of slices without `label` that lies between two slices with it.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    axis
        Across which slices; 0 for sagittal ones.
    span
        First and last slice to look at, both included; all of them by default.
    rule
        What may be filled; by default background only, so that no other structure is overwritten.
    """
    box = box_of(labels, label)
    if box is None:
        return nothing("There is nothing of this structure to fill between.")
    # Only the plane's own axes shrink to the structure: slices keep their numbers.
    crop = tuple(
        slice(None) if n == axis else slice(max(0, s.start - _MARGIN), s.stop + _MARGIN)
        for n, s in enumerate(box)
    )
    planes = np.moveaxis(labels[crop], axis, 0)
    step = tuple(spacing[n] for n in range(3) if n != axis)
    origin = [crop[n].start for n in range(3) if n != axis]
    parts = []
    for number, mask in _between(planes, label, step, span):
        mask &= rule.allows(planes[number], label)
        where = [slice(first, first + size) for first, size in zip(origin, mask.shape, strict=True)]
        where.insert(axis, slice(number, number + 1))
        parts.append(edit_where(np.expand_dims(mask, axis), label, tuple(where)))
    filled = sum(len(part) > 0 for part in parts)
    if not filled:
        return nothing("There are no slices to fill in between.")
    return join(parts, f"Filled {filled} slice{'s' if filled > 1 else ''} in between.")


def _between(
    planes: np.ndarray, label: int, step: tuple[float, float], span: tuple[int, int] | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Number and mask, (rows, columns) bool, of every slice to be filled."""
    first, last = span or (0, len(planes) - 1)
    drawn = [n for n in range(max(first, 0), min(last + 1, len(planes))) if (planes[n] == label).any()]
    for low, high in pairwise(drawn):
        if high - low > 1:
            ends = [planes[n] == label for n in (low, high)]
            for number in range(low + 1, high):
                yield number, interpolate(*ends, (number - low) / (high - low), step)


def interpolate(first: np.ndarray, second: np.ndarray, share: float, step: tuple[float, float]) -> np.ndarray:
    """The shape at `share` of the way from one mask to another, (rows, columns) bool each.

    `step` is the pixel size in mm. Neither mask may be empty.
    """
    centres = [np.array(ndimage.center_of_mass(mask)) for mask in (first, second)]
    target = (1 - share) * centres[0] + share * centres[1]
    moved = [
        ndimage.shift(_signed_distance(mask, step), target - centre, order=1, mode="nearest")
        for mask, centre in zip((first, second), centres, strict=True)
    ]
    return (1 - share) * moved[0] + share * moved[1] > 0


def _signed_distance(mask: np.ndarray, step: tuple[float, float]) -> np.ndarray:
    """Millimetres to the outline, positive inside."""
    return edt.edt(mask, anisotropy=step) - edt.edt(~mask, anisotropy=step)
