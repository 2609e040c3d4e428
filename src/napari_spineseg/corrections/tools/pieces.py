"""Structures and loose pieces of them that should not be there."""

from __future__ import annotations

import cc3d
import numpy as np

from napari_spineseg.corrections.edit import Edit, Spacing, box_of, boxes_of, edit_where, join, nothing
from napari_spineseg.corrections.tools.within import restrict


def erase_structure(
    labels: np.ndarray, label: int, spacing: Spacing, plane: tuple[int, int] | None = None
) -> Edit:
    """Erase all of `label`: what a model painted where nothing is.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    spacing
        mm along the axes.
    plane
        (axis, index) of the only slice to work on; all by default.
    """
    box = restrict(box_of(labels, label), plane)
    where = "on this slice" if plane is not None else "on all slices"
    edit = nothing("") if box is None else edit_where(labels[box] == label, 0, box)
    if not len(edit):
        return nothing(f"There is nothing of this structure {where}.")
    return edit.saying(f"Erased all of it {where}, {_volume(len(edit), spacing)}.")


def keep_largest(labels: np.ndarray, label: int, spacing: Spacing) -> Edit:
    """Erase all of `label` but its largest connected piece (corners connect).

    How much goes is said: where the slices do not reach the arches, a spinous process is such a piece.
    """
    box = box_of(labels, label)
    if box is None:
        return nothing("There is nothing of this structure.")
    pieces, sizes = _pieces(labels[box] == label)
    rest = (pieces > 0) & (pieces != sizes.argmax())
    count = int((sizes > 0).sum()) - 1
    if not count:
        return nothing("It is one piece already.")
    edit = edit_where(rest, 0, box)
    return edit.saying(_erased(count, "loose piece", len(edit), spacing))


def erase_islands(
    labels: np.ndarray, spacing: Spacing, smaller_than_ml: float = 0.2, label: int | None = None
) -> Edit:
    """Erase pieces below a volume, of one structure or of all; the largest piece of each always stays.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    spacing
        mm along the axes.
    smaller_than_ml
        Pieces below this go.
    label
        The only structure to look at; all by default.
    """
    boxes = boxes_of(labels)
    least = smaller_than_ml * 1000 / float(np.prod(spacing))
    edits, count = [], 0
    for value in boxes if label is None else boxes.keys() & {label}:
        pieces, sizes = _pieces(labels[boxes[value]] == value)
        small = sizes < least
        small[[0, sizes.argmax()]] = False
        if small.any():
            count += int(small.sum())
            edits.append(edit_where(small[pieces], 0, boxes[value]))
    if not count:
        return nothing("There are no islands.")
    edit = join(edits)
    return edit.saying(_erased(count, "island", len(edit), spacing))


def _erased(count: int, what: str, voxels: int, spacing: Spacing) -> str:
    """What went, how much of it, and that it was not only on the slice that is shown."""
    return f"Erased {count} {what}{'s' if count > 1 else ''}, {_volume(voxels, spacing)} on all slices."


def _volume(voxels: int, spacing: Spacing) -> str:
    ml = voxels * float(np.prod(spacing)) / 1000
    return f"{ml:.1f} ml" if ml >= 0.05 else "less than 0.1 ml"


def _pieces(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected pieces, numbered from 1, and the voxels of each (0 for the background)."""
    pieces = cc3d.connected_components(inside, connectivity=26)
    # NumPy's own count would make 64-bit numbers of all voxels first.
    sizes = cc3d.statistics(pieces, no_slice_conversion=True)["voxel_counts"].astype(np.int64)
    sizes[0] = 0
    return pieces, sizes
