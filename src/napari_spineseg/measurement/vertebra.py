"""Figures of a vertebra: heights, depth and ratios of its body, and its volume."""

from __future__ import annotations

import numpy as np

from napari_spineseg.measurement.body import Body
from napari_spineseg.measurement.reading import Reading, Readings, all_missing, line, ratio, words
from napari_spineseg.measurement.space import Missing, Space, cut_off

_HEIGHTS = {
    "body_height_anterior": ("upper_front", "lower_front"),
    "body_height_middle": ("upper_middle", "lower_middle"),
    "body_height_posterior": ("upper_back", "lower_back"),
}
# Up to this much of the edges of the scan, mm², may be crossed by processes: the rest of them is small.
_SMALL_CUT = 200.0


def vertebra_readings(space: Space, label: int, body: Body | Missing) -> Readings:
    """All figures of one vertebra."""
    return {**_of_body(body), "vertebra_volume": volume(space, label, body)}


def _of_body(body: Body | Missing) -> Readings:
    """Heights, depth and ratios."""
    if isinstance(body, Missing):
        return all_missing((*_HEIGHTS, "body_depth", "wedge_ratio", "biconcavity_ratio"), body.reason)
    out: Readings = {}
    for key, (upper, lower) in _HEIGHTS.items():
        above, below = getattr(body.outline, upper), getattr(body.outline, lower)
        mark = line(body.world(above), body.world(below))
        out[key] = Reading(above[1] - below[1], body.caution, (mark,))
    front, back = body.outline.wall_front, body.outline.wall_back
    mark = line(body.world(front), body.world(back))
    out["body_depth"] = Reading(body.outline.depth, body.caution, (mark,))
    out["wedge_ratio"] = ratio(out["body_height_anterior"], out["body_height_posterior"])
    out["biconcavity_ratio"] = ratio(out["body_height_middle"], out["body_height_posterior"])
    return out


def mean_height(readings: Readings) -> Reading | Missing:
    """Mean of the three heights of a body."""
    heights = [readings[key] for key in _HEIGHTS]
    if any(isinstance(height, Missing) for height in heights):
        return heights[0]
    return Reading(float(np.mean([h.value for h in heights])), heights[0].caution)


def volume(space: Space, label: int, body: Body | Missing) -> Reading | Missing:
    """Volume in ml of what is labelled, if the scan shows all or nearly all of it."""
    mask, box = space.mask(label), space.boxes[label]
    edges = space.edges(mask, box)
    value = float(mask.sum()) * space.voxel_mm3 / 1000
    tumour = "Without the tumour that is marked in it." if label in space.tumours else ""
    if not edges:
        return Reading(value, tumour)
    part_of_body = isinstance(body, Missing) or body.cut
    if part_of_body or space.cut_area(mask, box) > _SMALL_CUT:
        return Missing(f"it is {cut_off(edges)}")
    return Reading(value, words(f"A part of its processes is {cut_off(edges)}.", tumour))
