"""From structures to levels: the one call that other rooms use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering, Structure
from napari_spineseg.instances.column import coordinates, trace_column
from napari_spineseg.instances.profile import read_column, signals
from napari_spineseg.instances.split import assign_discs, bands, fit_cut


@dataclass(frozen=True)
class Alternative:
    """Another way to number the same instances.

    Attributes
    ----------
    description
        When it would be right, as a person reads it.
    shift
        Add this to every vertebra and disc label to get there.
    numbering
        Names under this alternative.
    """

    description: str
    shift: int
    numbering: Numbering


@dataclass(frozen=True, eq=False)
class LevelResult:
    """Instances and their levels.

    Attributes
    ----------
    levels
        uint16, the shape that came in, `levels` scheme.
    numbering
        What the numbers are called.
    warnings
        What a person should know about the numbering.
    alternatives
        Other numberings that the picture allows.
    """

    levels: np.ndarray
    numbering: Numbering = Numbering()
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


def label_levels(structures: np.ndarray, spacing: tuple[float, float, float]) -> LevelResult:
    """Give every vertebra and disc its own number.

    Parameters
    ----------
    structures
        (slices, rows, columns) of the `structures` scheme in sagittal orientation: slices to the
        right, rows down, columns to the back.
    spacing
        mm along the same axes.
    """
    levels = np.zeros(structures.shape, np.uint16)
    box = _box(structures)
    if box is None:
        return LevelResult(levels, warnings=("No spine was found in this scan.",))
    inner = np.ascontiguousarray(structures[box])
    out = levels[box]
    out[inner == Structure.CANAL] = CANAL_LABEL
    column = trace_column(inner, spacing)
    if column is None:
        return LevelResult(levels, warnings=("No vertebra and no disc was found in this scan.",))
    voxels = np.nonzero((inner == Structure.VERTEBRA) | (inner == Structure.DISC))
    is_disc = inner[voxels] == Structure.DISC
    along, behind, beside = coordinates(column, inner.shape, voxels)
    segments = read_column(*signals(along, behind, beside, is_disc, column.length))
    owner = assign_discs(segments, along[is_disc])
    discs = sorted({int(k) for k in owner if k >= 0})
    last = segments[-1].is_disc if segments else False
    import os
    if os.environ.get("DBG"): print([(s.is_disc,s.start,s.stop,round(s.evidence,2)) for s in segments], column.length)
    cuts, pitches = [], []
    for k, segment in enumerate(segments):
        if not segment.is_disc:
            continue
        mine = np.flatnonzero(is_disc)[owner == k]
        cuts.append(fit_cut(segment, along[mine], behind[mine], beside[mine]))
        pitches.append(30.0)
    below = bands(cuts, pitches, along, behind, beside)
    order = {k: i for i, k in enumerate(j for j, s in enumerate(segments) if s.is_disc)}
    total = len(cuts) if last else len(cuts) + 1
    number = total - below
    values = np.where(number >= 1, number, 0).astype(np.uint16)
    disc_values = np.zeros(is_disc.sum(), np.uint16)
    for k in discs:
        disc_values[owner == k] = FIRST_DISC_LABEL + total - 1 - order[k]
    values[is_disc] = disc_values
    out[voxels] = values
    return LevelResult(levels)


def _box(structures: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The smallest box around everything that is painted."""
    used = structures > 0
    plane = used.any(0)
    spans = [np.flatnonzero(v) for v in (used.any((1, 2)), plane.any(1), plane.any(0))]
    if not len(spans[0]):
        return None
    return tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)
