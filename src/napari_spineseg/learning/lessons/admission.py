"""What may be learnt from at all: corrections that cannot be right are refused, each with one sentence.

Here is what needs no image: labels that are empty, erased, out of order, out of place, on another grid.
Whether labels and image belong together is asked in `belonging`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Structure, structure_of
from napari_spineseg.corrections.entry import structures_of
from napari_spineseg.datasets.checks import Looked, stray_labels
from napari_spineseg.datasets.misfit import different_grids
from napari_spineseg.scan import Scan, Segmentation

_LEAST_ML = 0.5
# Less than this share of what the prediction held: nobody corrected it, somebody erased it.
_LEFT = 0.25
# A structure of this size in the prediction is not taken away whole by correcting it.
_WHOLE_ML = 1.0
# Centres of levels may be this much out of order where the picture's edge cuts them.
_ORDER_SLACK_MM = 12.0


def objection(scan: Scan, labels: Segmentation, prediction: Segmentation | None) -> str | None:
    """Why corrected labels cannot be learnt from, in one sentence; None where nothing speaks against it."""
    return next(_objections(scan, labels, prediction), None)


def _objections(scan: Scan, labels: Segmentation, prediction: Segmentation | None) -> Iterator[str]:
    for finding in different_grids(scan.name, scan, labels):
        yield f"Its labels are not on the scan's grid. {finding.sentence}"
    ml = scan.grid.voxel_ml
    structures = structures_of(labels)
    voxels = np.bincount(structures.ravel(), minlength=len(Structure))
    if voxels[1:].sum() * ml < _LEAST_ML:
        yield "Its labels are empty."
    if prediction is not None:
        before = np.bincount(structures_of(prediction).ravel(), minlength=len(Structure))
        yield from _erased(voxels, before, ml)
    looked = Looked.at(labels)
    yield from _out_of_place(looked.structures)
    for finding in stray_labels(looked):
        yield f"Its labels are out of order: {finding.sentence}"
    yield from _out_of_order(looked)


def _out_of_order(looked: Looked) -> Iterator[str]:
    """Vertebrae and discs whose numbers do not count upward."""
    if looked.scheme != "levels":
        return
    height = {n: -centre[1] for n, centre in looked.centres.items()}
    for structure in (Structure.VERTEBRA, Structure.DISC):
        levels = sorted(n for n in looked.counts if structure_of(n) is structure)
        for lower, upper in pairwise(levels):
            if height[upper] < height[lower] - _ORDER_SLACK_MM:
                yield f"Its levels are out of order: {looked.say(upper)} lies below {looked.say(lower)}."
    for disc in (n for n in looked.counts if structure_of(n) is Structure.DISC):
        level = disc - FIRST_DISC_LABEL + 1
        # Not those next to it, whose centres are elsewhere where the picture's edge cuts them.
        above, below = height.get(level + 1), height.get(level - 2)
        too_high = above is not None and height[disc] > above + _ORDER_SLACK_MM
        too_low = below is not None and height[disc] < below - _ORDER_SLACK_MM
        if too_high or too_low:
            yield f"Its levels are out of order: {looked.say(disc)} is not near {looked.say(level)}."


def _erased(voxels: np.ndarray, before: np.ndarray, ml: float) -> Iterator[str]:
    if voxels[1:].sum() < _LEFT * before[1:].sum():
        share = 100 * (1 - voxels[1:].sum() / before[1:].sum())
        yield f"{share:.0f} % of what the model had found was erased."
    for structure in Structure:
        if structure and before[structure] * ml > _WHOLE_ML and not voxels[structure]:
            yield (
                f"Every {structure.title} that the model had found was erased; exclude the scan if it shows "
                "none."
            )


def _out_of_place(structures: np.ndarray) -> Iterator[str]:
    """Structures that cannot be where they are: (slices, rows down, columns to the back)."""
    sizes = np.bincount(structures.ravel(), minlength=len(Structure))
    others = max(sizes[Structure.DISC], sizes[Structure.CANAL])
    if sizes[Structure.VERTEBRA] and others > sizes[Structure.VERTEBRA]:
        yield "Its labels have less vertebra than disc or canal; structures seem to be swapped."
    columns = np.arange(structures.shape[2])

    def depth(structure: Structure) -> float:
        across = (structures == structure).sum((0, 1))
        return float((across * columns).sum() / across.sum())

    both = sizes[Structure.CANAL] and sizes[Structure.DISC]
    if both and depth(Structure.CANAL) <= depth(Structure.DISC):
        yield "Its labels have the spinal canal in front of the discs; they are swapped or turned round."
