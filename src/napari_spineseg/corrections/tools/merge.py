"""Make one structure of two."""

from __future__ import annotations

import numpy as np

from napari_spineseg.corrections.edit import Edit, edit_by_table, nothing
from napari_spineseg.corrections.tools.column import remove_level


def merge(labels: np.ndarray, keep: int, other: int, renumber: bool = False) -> Edit:
    """All of `other` becomes `keep`.

    Parameters
    ----------
    labels
        (slices, rows, columns), `levels` scheme.
    renumber
        Close the gap that is left: vertebrae and discs above `other` move down one number. Only where
        both are vertebrae.
    """
    if keep == other:
        return nothing("Choose two different structures to merge.")
    if renumber:
        return remove_level(labels, other, into=keep)
    edit = edit_by_table(labels, {other: keep}, "Merged.")
    return edit if len(edit) else nothing("There is nothing to merge.")
