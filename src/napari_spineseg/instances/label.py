"""From structures to levels: the one call that other rooms use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering, Structure
from napari_spineseg.instances.column import coordinates, trace_column
from napari_spineseg.instances.profile import read_column, signals
from napari_spineseg.instances.split import assign_discs, bands, fit_cut, flood


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
    cuts = []
    for k, segment in enumerate(segments):
        if not segment.is_disc:
            continue
        mine = np.flatnonzero(is_disc)[owner == k]
        cuts.append(fit_cut(segment, along[mine], behind[mine], beside[mine]))
    pitches = _pitches(cuts)
    below, clear = bands(cuts, pitches, along, behind, beside)
    bone = ~is_disc
    import os
    M=float(os.environ.get("MARGIN","6"))
    if M>0:
        sure = clear > np.where(behind < 15, 1.0, M)
        below[bone] = flood(inner==1, tuple(v[bone] for v in voxels), below[bone], sure[bone], spacing)
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


def _pitches(cuts):
    """Distance between discs around each cut, mm."""
    at = np.array([c.at for c in cuts])
    if len(at) < 2:
        return [33.0] * len(at)
    gaps = np.diff(at)
    return [float(v) for v in (np.r_[gaps[:1], gaps] + np.r_[gaps, gaps[-1:]]) / 2]


def _box(structures: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The smallest box around everything that is painted."""
    used = structures > 0
    plane = used.any(0)
    spans = [np.flatnonzero(v) for v in (used.any((1, 2)), plane.any(1), plane.any(0))]
    if not len(spans[0]):
        return None
    return tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)
