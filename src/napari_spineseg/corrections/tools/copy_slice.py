"""Take a neighbour slice's drawing as a start."""

from __future__ import annotations

import numpy as np

from napari_spineseg.corrections.confine import ONLY_BACKGROUND, Rule
from napari_spineseg.corrections.edit import Edit, edit_to, nothing


def copy_from_slice(
    labels: np.ndarray,
    index: int,
    source: int,
    axis: int = 0,
    label: int | None = None,
    rule: Rule = ONLY_BACKGROUND,
) -> Edit:
    """Draw on slice `index` what is on slice `source`.

    Parameters
    ----------
    labels
        (slices, rows, columns).
    axis
        Across which slices; 0 for sagittal ones.
    label
        The only structure to copy. What is there of it already is replaced by the copy. By default
        everything that is labelled is copied, and nothing is removed.
    rule
        What may be drawn over; by default background only.
    """
    size, side = labels.shape[axis], "before" if source < index else "after"
    if not (0 <= source < size and 0 <= index < size) or source == index:
        return nothing(f"There is no slice {side} this one.")
    planes = np.moveaxis(labels, axis, 0)
    before, neighbour = planes[index], planes[source]
    after = before.copy()
    if label is not None:
        after[before == label] = 0
    for value in [label] if label is not None else np.unique(neighbour[neighbour > 0]):
        wanted = neighbour == value
        allowed = rule.allows(before, int(value)) | (before == value)
        after[wanted & allowed] = value
    if label is not None and not (neighbour == label).any():
        return nothing(f"The slice {side} holds nothing of this structure.")
    box = tuple(slice(index, index + 1) if n == axis else slice(0, s) for n, s in enumerate(labels.shape))
    edit = edit_to(
        np.expand_dims(before, axis), np.expand_dims(after, axis), box, f"Copied the slice {side}."
    )
    return edit if len(edit) else nothing("Both slices are the same already.")
