"""Where to look next: the places inside a scan that are most likely wrong, most doubtful first.

Two sources. Rules of anatomy know what cannot be (a gap in the column, a disc that touches the
wrong body); the network's own uncertainty knows where it guessed. Both are weighed in the same
currency, the millilitres that are probably wrong, so that one list can hold them.
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Numbering, Scheme
from napari_spineseg.corrections.doubt.place import Doubt
from napari_spineseg.corrections.doubt.rules import broken_rules
from napari_spineseg.corrections.doubt.unsure import unsure_places
from napari_spineseg.corrections.edit import Spacing

__all__ = ["Doubt", "find_doubts"]

MOST = 15


def find_doubts(
    labels: np.ndarray,
    spacing: Spacing,
    uncertainty: np.ndarray | None = None,
    numbering: Numbering = Numbering(),
    scheme: Scheme = "levels",
    most: int = MOST,
) -> list[Doubt]:
    """The doubtful places of a segmentation, most doubtful first.

    Parameters
    ----------
    labels
        (slices, rows, columns), sagittal: slices to the right, rows down, columns to the back.
    spacing
        mm along these axes.
    uncertainty
        The same shape, 0 sure to 1 unsure (entropy); without it only the rules speak.
    numbering
        For names.
    scheme
        In `structures` only what needs no levels is checked.
    most
        How many places at most.
    """
    found = broken_rules(labels, spacing, numbering, scheme)
    if uncertainty is not None:
        known = [doubt.point for doubt in found]
        found += unsure_places(labels, uncertainty, spacing, numbering, scheme, most, known)
    return sorted(found, key=lambda doubt: -doubt.score)[:most]
