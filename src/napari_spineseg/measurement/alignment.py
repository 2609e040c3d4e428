"""How vertebrae stand to each other: disc angle, slip, lordosis and the coronal Cobb angle."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_spineseg.measurement.body import Body
from napari_spineseg.measurement.reading import Reading, Readings, all_missing, line, words
from napari_spineseg.measurement.space import Missing, Space

_PAIR = ("disc_angle", "slip", "slip_share")
# Endplates that face one disc are this far apart, mm, going up; else these are no neighbours.
_NEAREST, _FARTHEST = -6.0, 26.0
_THICK = 2.5
# Below this an angle says no more than that the spine is straight, degrees: the largest of many angles of
# a straight spine is not zero (benchmarks/measurements.md).
_LEAST_COBB, _LEAST_COBB_THICK = 5.0, 10.0


def elevation(forward: np.ndarray, right: np.ndarray) -> float:
    """Angle in degrees of a forward vector over the horizontal, seen from the side along `right`."""
    flat = forward - (forward @ right) * right
    # Any pair of axes square to `right` will do: only differences are used.
    ahead = np.cross([0.0, 0.0, 1.0], right)
    ahead /= np.linalg.norm(ahead)
    return float(np.degrees(np.arctan2(flat @ np.cross(right, ahead), flat @ ahead)))


def between(upper: np.ndarray, lower: np.ndarray, right: np.ndarray) -> float:
    """Angle in degrees, -180 to 180, by which `upper` rises over `lower` seen along `right`."""
    return (elevation(upper, right) - elevation(lower, right) + 180) % 360 - 180


def pair_readings(above: Body | Missing, below: Body | Missing) -> Readings:
    """Disc angle and slip between two neighbours."""
    for body in (above, below):
        if isinstance(body, Missing):
            return all_missing(_PAIR, body.reason)
    right = above.frame.u + below.frame.u
    right /= np.linalg.norm(right)
    top, base = above.outline, below.outline
    forward = below.endplate("upper")
    corner, target = above.world(top.lower_back), below.world(base.upper_back)
    gap = (above.world(top.lower_middle) - below.world(base.upper_middle)) @ below.frame.w
    if not _NEAREST < gap < _FARTHEST:
        return all_missing(
            _PAIR, f"{above.name} and {below.name} do not lie next to each other; check their numbers"
        )
    caution = words(above.caution, below.caution)
    plates = (
        line(above.world(top.lower_front), corner),
        line(below.world(base.upper_front), target),
    )
    slip = float((corner - target) @ forward)
    depth = base.upper_front[0] - base.upper_back[0]
    foot = target + slip * forward
    marks = (plates[1], line(corner, foot), line(target, foot))
    return {
        "disc_angle": Reading(between(above.endplate("lower"), forward, right), caution, plates),
        "slip": Reading(slip, caution, marks),
        "slip_share": Reading(100 * slip / depth, caution, marks),
    }


def lordosis(bodies: Mapping[int, Body | Missing], lumbar: int) -> Reading | Missing:
    """Angle between the upper endplate of the highest and the lower endplate of the lowest lumbar vertebra.

    `bodies` are all vertebrae that are labelled.
    """
    high, low = bodies[lumbar], bodies[1]
    for body in (high, low):
        if isinstance(body, Missing):
            return body
    right = np.sum(
        [bodies[n].frame.u for n in range(1, lumbar + 1) if isinstance(bodies.get(n), Body)], axis=0
    )
    right /= np.linalg.norm(right)
    marks = (
        line(high.world(high.outline.upper_front), high.world(high.outline.upper_back)),
        line(low.world(low.outline.lower_front), low.world(low.outline.lower_back)),
    )
    return Reading(
        between(high.endplate("upper"), low.endplate("lower"), right),
        words(high.caution, low.caution),
        marks,
    )


def coronal_cobb(space: Space, bodies: Mapping[int, Body | Missing]) -> Reading | Missing:
    """Largest angle in the coronal plane between an upper endplate and the lower endplate of one below it."""
    seen = {n: b for n, b in bodies.items() if isinstance(b, Body) and b.leans and not b.cut}
    if len(seen) < 3:
        if any(isinstance(b, Body) and b.cut for b in bodies.values()):
            return Missing("the scan shows too little of the sides of the vertebrae")
        return Missing("fewer than three vertebrae could be measured from side to side")
    order = sorted(seen, reverse=True)
    up = seen[order[0]].frame.origin - seen[order[-1]].frame.origin
    up /= np.linalg.norm(up)
    front = np.sum([body.frame.v for body in seen.values()], axis=0)
    front -= (front @ up) * up
    side = np.cross(front / np.linalg.norm(front), up)
    tilt = {which: {n: _tilt(seen[n].normal(which), side, up) for n in order} for which in ("upper", "lower")}
    pairs = [(abs(tilt["upper"][a] - tilt["lower"][b]), a, b) for a in order for b in order if b < a]
    value, top, base = max(pairs)
    marks = tuple(_across(seen[n], which) for n, which in ((top, "upper"), (base, "lower")))
    cautions = [f"From {seen[top].name} to {seen[base].name}, lying down."]
    if value < (_LEAST_COBB_THICK if space.thickness > _THICK else _LEAST_COBB):
        cautions.append("So small an angle cannot be told from a straight spine.")
    if space.thickness > _THICK:
        cautions.append(
            f"The slices are {space.thickness:.1f} mm apart, which makes it uncertain by some degrees."
        )
    return Reading(float(value), words(*cautions), marks)


def _tilt(normal: np.ndarray, side: np.ndarray, up: np.ndarray) -> float:
    """Angle in degrees by which an endplate leans in the coronal plane."""
    return float(np.degrees(np.arctan2(normal @ side, normal @ up)))


def _across(body: Body, which: str):
    """A mark along an endplate from side to side."""
    middle = getattr(body.outline, f"{which}_middle")
    lean = body.leans[which == "lower"]
    return line(*(body.frame.world(middle[0], middle[1] + s * lean, s) for s in (-18.0, 18.0)))
