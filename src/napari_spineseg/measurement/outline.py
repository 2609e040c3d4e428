"""The outline of a vertebral body from the side: two endplates, two walls, and the corners where they meet.

An edge is the straight line over it from rim to rim, resting on the stretches next to its two ends but
not on the ends themselves; a corner is where two edges meet. So neither a rounded rim nor an osteophyte
moves a corner by its own length, and a hollow endplate or wall does not tilt its line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.measurement.lines import meet
from napari_spineseg.measurement.section import STEP, Section, crossings
from napari_spineseg.measurement.space import Missing

Corner = tuple[float, float]
"""mm to the front and upward in the frame of a section."""

# Where lines rest, as shares of an edge from either of its ends.
_ENDPLATE = (0.07, 0.17)
_WALL = (0.10, 0.22)
# Corners are found again with edges measured from the last ones.
_ROUNDS = 3
# No more than this share of an edge may be missing.
_LOST = 0.15
# Share of the four-cornered outline that must be covered by the label.
_FILLED = 0.85
# Share of the label that may lie outside of it: slices that disagree, or a body that runs into another.
_BEYOND = 0.10
_SMALLEST_HEIGHT, _SMALLEST_DEPTH = 4.0, 12.0
_BROKEN = "its outline is broken, or too unlike a vertebral body"
_TOO_LITTLE = "too little of its body is labelled"


@dataclass(frozen=True, eq=False)
class Outline:
    """Corners and middles of the edges of a body, in mm of its section.

    `bulge` is how far, mm, an endplate rises over the line between its corners.
    """

    upper_front: Corner
    upper_back: Corner
    lower_front: Corner
    lower_back: Corner
    upper_middle: Corner
    lower_middle: Corner
    wall_front: Corner
    wall_back: Corner
    bulge: float

    @property
    def tilts(self) -> tuple[float, float]:
        """Slopes of the upper and of the lower endplate."""
        return (
            _slope(self.upper_back, self.upper_front),
            _slope(self.lower_back, self.lower_front),
        )

    @property
    def depth(self) -> float:
        """mm from the back to the front wall, half way between the endplates."""
        return self.wall_front[0] - self.wall_back[0]

    @property
    def centre(self) -> Corner:
        """Middle of the four corners."""
        corners = (self.upper_front, self.upper_back, self.lower_front, self.lower_back)
        return tuple(float(np.mean([c[k] for c in corners])) for k in (0, 1))


def _slope(back: Corner, front: Corner) -> float:
    return (front[1] - back[1]) / (front[0] - back[0])


def outline_of(section: Section) -> Outline | Missing:
    """Find the outline of the body that covers the section's origin."""
    cover, front, up = section.cover, section.front, section.up
    origin = 0.0, 0.0, 0.0, 0.0
    # Again from half way to each edge: near the corners a hollow edge is not seen from the middle.
    for _ in range(2):
        top, bottom, fore, aft = _edges(cover, front, up, origin)
        middle = [
            _mean(edge, at, -3.0, 3.0) for edge, at in ((top, front), (bottom, front), (fore, up), (aft, up))
        ]
        if not np.isfinite(middle).all():
            return Missing(_BROKEN)
        origin = tuple(0.5 * place for place in middle)
    high, low, ahead, behind = middle
    if high - low < _SMALLEST_HEIGHT or ahead - behind < _SMALLEST_DEPTH:
        return Missing(_TOO_LITTLE)
    corners = {
        name: (across, along)
        for name, across, along in (
            ("upper_front", ahead, high),
            ("upper_back", behind, high),
            ("lower_front", ahead, low),
            ("lower_back", behind, low),
        )
    }
    for _ in range(_ROUNDS):
        corners = _corners(corners, (front, top, bottom), (up, fore, aft))
        if corners is None:
            return Missing(_BROKEN)
    found = _between(corners, (front, top, bottom), (up, fore, aft))
    if isinstance(found, Outline):
        filled, beyond = _filled(section, found)
        if filled < _FILLED or beyond > _BEYOND:
            return Missing(_BROKEN)
    return found


def _edges(
    cover: np.ndarray, front: np.ndarray, up: np.ndarray, starts: tuple[float, ...]
) -> tuple[np.ndarray, ...]:
    """Upper and lower endplate over `front`, front and back wall over `up`, looked for from `starts`, mm."""
    rows = [int(np.abs(up - start).argmin()) for start in starts[:2]]
    columns = [int(np.abs(front - start).argmin()) for start in starts[2:]]
    return (
        *(crossings(cover, up, row, sign) for row, sign in zip(rows, (1, -1), strict=True)),
        *(crossings(cover.T, front, column, sign) for column, sign in zip(columns, (1, -1), strict=True)),
    )


def _corners(corners: dict[str, Corner], plates: tuple, walls: tuple) -> dict[str, Corner] | None:
    """Better corners than those given; None where an edge is not there."""
    front, top, bottom = plates
    up, fore, aft = walls
    lines = {
        "upper": _rim_line(front, top, corners["upper_back"][0], corners["upper_front"][0], _ENDPLATE),
        "lower": _rim_line(front, bottom, corners["lower_back"][0], corners["lower_front"][0], _ENDPLATE),
        "front": _rim_line(up, fore, corners["lower_front"][1], corners["upper_front"][1], _WALL),
        "back": _rim_line(up, aft, corners["lower_back"][1], corners["upper_back"][1], _WALL),
    }
    if any(line is None for line in lines.values()):
        return None
    return {name: meet(lines[name.split("_")[0]], lines[name.split("_")[1]]) for name in corners}


def _rim_line(
    at: np.ndarray, edge: np.ndarray, start: float, stop: float, zone: tuple[float, float]
) -> tuple[float, float] | None:
    """Level at 0 and slope of the line over an edge from rim to rim; None where it is not there."""
    length = stop - start
    inside = (at > start + zone[0] * length) & (at < stop - zone[0] * length)
    if length < _SMALLEST_HEIGHT / 2 or np.isfinite(edge[inside]).mean() < 1 - _LOST:
        return None
    ends = []
    for origin, sign in ((start, 1), (stop, -1)):
        low, high = sorted(origin + sign * share * length for share in zone)
        part = (at >= low - STEP / 2) & (at <= high + STEP / 2) & np.isfinite(edge)
        if not part.any():
            return None
        ends.append((float(at[part].mean()), float(edge[part].mean())))
    (xa, ya), (xb, yb) = ends
    slope = (yb - ya) / (xb - xa)
    return ya - slope * xa, slope


def _between(corners: dict[str, Corner], plates: tuple, walls: tuple) -> Outline | Missing:
    """Add the middles of the edges to the corners."""
    front, top, bottom = plates
    up, fore, aft = walls
    centre_front, centre_up = (float(np.mean([c[k] for c in corners.values()])) for k in (0, 1))
    depth = corners["upper_front"][0] - corners["upper_back"][0]
    height = corners["upper_back"][1] - corners["lower_back"][1]
    high, low = (
        _mean(edge, front, centre_front - 0.1 * depth, centre_front + 0.1 * depth) for edge in (top, bottom)
    )
    ahead, behind = (
        _mean(edge, up, centre_up - 0.1 * height, centre_up + 0.1 * height) for edge in (fore, aft)
    )
    if not np.isfinite([high, low, ahead, behind]).all():
        return Missing(_BROKEN)
    return Outline(
        **corners,
        upper_middle=(centre_front, high),
        lower_middle=(centre_front, low),
        wall_front=(ahead, centre_up),
        wall_back=(behind, centre_up),
        bulge=max(
            _rise(
                front,
                sign * edge,
                [(f, sign * u) for f, u in (corners[f"{plate}_back"], corners[f"{plate}_front"])],
            )
            for plate, edge, sign in (("upper", top, 1), ("lower", bottom, -1))
        ),
    )


def _rise(at: np.ndarray, edge: np.ndarray, ends: list[Corner]) -> float:
    """How far an edge rises over the line between two ends, mm."""
    (xa, ya), (xb, yb) = ends
    inside = (at > xa) & (at < xb) & np.isfinite(edge)
    over = edge[inside] - (ya + (at[inside] - xa) * (yb - ya) / (xb - xa))
    return float(over.max(initial=0.0))


def _mean(edge: np.ndarray, at: np.ndarray, low: float, high: float) -> float:
    """Mean of a stretch of an edge, NaN where none of it is there."""
    part = edge[(at >= low - STEP / 2) & (at <= high + STEP / 2)]
    part = part[np.isfinite(part)]
    return float(part.mean()) if len(part) else float("nan")


def _filled(section: Section, found: Outline) -> tuple[float, float]:
    """Share of the inside of the outline that the label covers, and share of the label that lies outside."""
    across, along = np.meshgrid(section.front, section.up)
    shares = []
    for (fa, ua), (fb, ub), sign in (
        (found.upper_back, found.upper_front, 1),
        (found.lower_back, found.lower_front, -1),
    ):
        shares.append(sign * (ua + (across - fa) * (ub - ua) / (fb - fa) - along) > 0)
    for (fa, ua), (fb, ub), sign in (
        (found.lower_front, found.upper_front, 1),
        (found.lower_back, found.upper_back, -1),
    ):
        shares.append(sign * (fa + (along - ua) * (fb - fa) / (ub - ua) - across) > 0)
    inside = np.all(shares, axis=0)
    cover = section.cover
    if not inside.any():
        return 0.0, 1.0
    return float(cover[inside].mean()), float(1 - cover[inside].sum() / cover.sum())
