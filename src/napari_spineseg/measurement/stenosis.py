"""The canal at the height of a disc: depth and cross-section, counted in a thin slab square to it.

Counting voxels of a slab needs no outline: a voxel at the slab's edge counts for the part of it that
lies inside, so that the result is as fine as the volume of the voxels, at any slant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL
from napari_spineseg.measurement.canal import Canal
from napari_spineseg.measurement.disc import Disc
from napari_spineseg.measurement.reading import Reading, Readings, all_missing, line
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.space import Frame, Missing, Space, axes, cut_off

# Thickness of the slab, mm.
_SLAB = 4.0
# One half of the slab may hold this much less than the other; else the labels end in it.
_EVEN = 0.6
# Up and down of the plane's middle, mm, no part of a slab is further away.
_REACH = 30.0
_THICK, _SLANT = 2.5, np.sin(np.radians(10))
_NONE_HERE = "the spinal canal is not labelled at the height of the disc"


@dataclass(frozen=True, eq=False)
class Slab:
    """Canal voxels around a plane: RAS mm, slice numbers, and how much of each lies in the slab.

    `frame.w` runs up the canal.
    """

    frame: Frame
    places: np.ndarray
    slices: np.ndarray
    weights: np.ndarray
    thickness: float
    edges: list[str]


def slab_at(space: Space, canal: Canal | None, place: np.ndarray) -> Slab | Missing:
    """Canal voxels in the slab square to the canal that passes `place` (RAS mm)."""
    if canal is None:
        return Missing("the spinal canal is not labelled")
    row = float(space.index(place[None])[0, 1])
    centre = place
    for _ in range(3):
        up = canal.upward(space, row)
        centre = None if up is None else canal.level_with(space, place, up)
        if centre is None:
            return Missing(_NONE_HERE)
        row = float(space.index(centre[None])[0, 1])
    reach = _REACH / space.spacing[1]
    near = slice(max(0, int(row - reach)), min(len(canal.middle), int(row + reach) + 2))
    part = space.labels[:, near] == CANAL_LABEL
    index = np.argwhere(part) + np.array([0, near.start, 0])
    if not len(index):
        return Missing(_NONE_HERE)
    places = space.world(index)
    away = (places - centre) @ up
    extent = float(np.abs(up @ space.affine[:3, :3]).sum())
    thickness = max(_SLAB, extent)
    weights = np.clip((thickness / 2 + extent / 2 - np.abs(away)) / extent, 0, 1)
    inside = weights > 0
    halves = sorted((weights[inside & (away > 0)].sum(), weights[inside & (away <= 0)].sum()))
    if halves[0] < _EVEN * halves[1] or halves[1] == 0:
        return Missing(_NONE_HERE)
    ends = {"left": 0, "right": space.labels.shape[0] - 1}
    edges = [name for name, end in ends.items() if (index[inside, 0] == end).any()]
    frame = axes(centre, space.right, up)
    return Slab(frame, places[inside], index[inside, 0], weights[inside], thickness, edges)


def canal_readings(
    space: Space, canal: Canal | None, disc: Disc | Missing, settings: MeasureSettings
) -> Readings:
    """Depth and cross-section of the canal behind a disc."""
    keys = ("canal_depth", "canal_area")
    if isinstance(disc, Missing):
        return all_missing(keys, f"the disc cannot be placed: {disc.reason}")
    slab = slab_at(space, canal, disc.edges[1])
    if isinstance(slab, Missing):
        return all_missing(keys, slab.reason)
    return {"canal_depth": _depth(space, slab, settings), "canal_area": _area(space, slab)}


def _depth(space: Space, slab: Slab, settings: MeasureSettings) -> Reading | Missing:
    """Mean depth over the middle half of the band."""
    middle = float(np.average(slab.slices, weights=slab.weights))
    numbers = np.arange(slab.slices.min(), slab.slices.max() + 1)
    chosen = numbers[np.abs(numbers - middle) * space.thickness <= settings.band_mm / 4]
    if not len(chosen):
        chosen = numbers[[np.abs(numbers - middle).argmin()]]
    used = np.isin(slab.slices, chosen)
    if not used.any():
        return Missing(_NONE_HERE)
    # Area in the plane of a slice over the slab's thickness in that plane.
    upright = np.sqrt(1 - (slab.frame.w @ space.right) ** 2)
    area = slab.weights[used].sum() * space.voxel_mm3 / space.thickness / len(chosen)
    depth = float(area * upright / slab.thickness)
    right, front, up = np.average(slab.frame.local(slab.places[used]), axis=0, weights=slab.weights[used])
    ends = (slab.frame.world(front + sign * depth / 2, up, right) for sign in (1, -1))
    return Reading(depth, space.coarse, (line(*ends),))


def _area(space: Space, slab: Slab) -> Reading | Missing:
    """Cross-section of the whole slab."""
    if slab.edges:
        return Missing(f"the spinal canal is {cut_off(slab.edges)}")
    value = float(slab.weights.sum() * space.voxel_mm3 / slab.thickness)
    caution = ""
    if space.thickness > _THICK:
        slant = abs(slab.frame.w @ space.right) > _SLANT
        aslant = " and the canal runs aslant through them" if slant else ""
        caution = (
            f"The slices are {space.thickness:.1f} mm apart{aslant}, so it is uncertain by about a tenth."
        )
    right, front, up = slab.frame.local(slab.places).T
    at = float(np.average(up, weights=slab.weights))
    middle = float(np.average(front, weights=slab.weights))
    centre = float(np.average(right, weights=slab.weights))
    across = (slab.frame.world(middle, at, side) for side in (right.min(), right.max()))
    along = (slab.frame.world(end, at, centre) for end in (front.max(), front.min()))
    return Reading(value, caution, (line(*across), line(*along)))
