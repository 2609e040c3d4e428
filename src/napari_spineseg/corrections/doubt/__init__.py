"""Where to look next: the places inside a scan that are most likely wrong, most doubtful first.

Two sources. Rules of anatomy know what cannot be (a gap in the column, a disc that touches the
wrong body); the network's own uncertainty knows where it guessed. Both are weighed in the same
currency, the millilitres within a look that are probably wrong, so that one list can hold them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_spineseg.anatomy import Numbering, Scheme
from napari_spineseg.corrections.doubt.look import LOOK_MM, Cells
from napari_spineseg.corrections.doubt.place import Doubt
from napari_spineseg.corrections.doubt.rules import broken_rules
from napari_spineseg.corrections.doubt.unsure import expected_cells, unsure_places
from napari_spineseg.corrections.edit import Spacing

__all__ = ["Cells", "Doubt", "find_doubts"]

MOST = 15
_LOOK_ML = float(4 / 3 * np.pi * np.prod(LOOK_MM)) / 1000
# How much of the volume that a rule speaks of is wrong as a rule. Bodies at the end of the column, or
# of a spine that is bent out of a slab, are small and right: on real scans a volume out of line was
# less doubtful than an average place, where the others were far more.
_CREDENCE = {"volume": 0.05}
_USUAL_CREDENCE = 0.5


def find_doubts(
    labels: np.ndarray,
    spacing: Spacing,
    uncertainty: np.ndarray | Cells | None = None,
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
        The same shape, 0 sure to 1 unsure (entropy), or what `ask.ask_model` says of the scan; without
        it only the rules speak.
    numbering
        For names.
    scheme
        In `structures` only what needs no levels is checked.
    most
        How many places at most.
    """
    found = broken_rules(labels, spacing, numbering, scheme)
    cells = _cells(uncertainty, spacing)
    found = [_weighed(doubt, cells) for doubt in found]
    if cells is not None:
        # What a rule leads to need not be listed once more.
        for doubt in found:
            cells.values[cells.seen_from(cells.cell_of(doubt.point))] = 0
        found += unsure_places(labels, cells, numbering, scheme, most)
    return sorted(found, key=lambda doubt: -doubt.score)[:most]


def _cells(uncertainty: np.ndarray | Cells | None, spacing: Spacing) -> Cells | None:
    """Expected errors to take places out of: never the caller's own."""
    if uncertainty is None:
        return None
    if isinstance(uncertainty, Cells):
        return replace(uncertainty, values=uncertainty.values.copy())
    return expected_cells(uncertainty, spacing)


def _weighed(doubt: Doubt, cells: Cells | None) -> Doubt:
    """A broken rule in the common currency: at most one look, and what the network doubts there."""
    score = _CREDENCE.get(doubt.kind, _USUAL_CREDENCE) * min(doubt.score, _LOOK_ML)
    if cells is not None:
        score += float(cells.values[cells.seen_from(cells.cell_of(doubt.point))].sum())
    return replace(doubt, score=score)
