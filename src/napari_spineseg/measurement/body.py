"""The vertebral body of a vertebra: cut from its posterior elements, with its own axes and outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from napari_spineseg.anatomy import CANAL_LABEL
from napari_spineseg.grid import Box
from napari_spineseg.measurement.canal import BEYOND, BRIDGE, Canal
from napari_spineseg.measurement.lines import robust_bow
from napari_spineseg.measurement.outline import Outline, outline_of
from napari_spineseg.measurement.reading import words
from napari_spineseg.measurement.section import Section, crossings, soften, take
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.space import Frame, Missing, Space, axes, cut_off, main_piece

_NO_CANAL = (
    "the spinal canal is not labelled beside it, so its body cannot be told from the posterior elements"
)
# Rows above and below a vertebra in which the canal beside it may lie.
_MORE = 30
# An endplate that rises this far over the line from rim to rim is doubtful, mm.
_BULGE = 3.0
# What the canal may be missing of along a body.
_LEAST_CANAL = 0.85
_REACH = (34.0, 30.0)
# Axes to try where those along the canal fail, degrees forward.
_LEANING = (15.0, -15.0, 30.0, -30.0)
# Endplates are followed over this share of the body's width for their lean, or this much, mm; less than
# this is too little.
_SHARE, _WIDE, _LEAST_WIDTH = 0.6, 24.0, 16.0
_STEEPEST_TWIST, _STEEPEST_LEAN = np.tan(np.radians(25)), np.tan(np.radians(35))


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebral body.

    Attributes
    ----------
    frame
        Its axes: `w` square to its middle plane, `v` forward, `u` from side to side; from its centre.
    outline
        In mm along the frame's `v` and `w`.
    leans
        Slopes to the right of the upper and lower endplate, in the frame; None where too little of the
        sides is in the scan.
    caution
        What makes it doubtful, or nothing.
    cut
        Whether the scan cuts its sides off.
    narrow
        Whether it cuts the canal's sides off too, so that the middle is that of what the scan shows.
    """

    label: int
    name: str
    frame: Frame
    outline: Outline
    leans: tuple[float, float] | None
    caution: str = ""
    cut: bool = False
    narrow: bool = False

    def world(self, corner: tuple[float, float]) -> np.ndarray:
        """(3,) RAS mm of a corner of its outline."""
        return self.frame.world(*corner)

    def endplate(self, which: str) -> np.ndarray:
        """(3,) unit vector forward along its "upper" or "lower" endplate."""
        front, back = (getattr(self.outline, f"{which}_{end}") for end in ("front", "back"))
        step = self.world(front) - self.world(back)
        return step / np.linalg.norm(step)

    def normal(self, which: str) -> np.ndarray | None:
        """(3,) unit vector upward from an endplate; None where its lean to the side is not known."""
        if self.leans is None:
            return None
        lean = self.leans[which == "lower"]
        across = np.cross(self.frame.u + lean * self.frame.w, self.endplate(which))
        return across / np.linalg.norm(across)


@dataclass(frozen=True, eq=False)
class _Block:
    """Voxels of a body within its box, with where its middle is, and whether the scan cuts its sides
    (`cut`) and those of the canal (`hidden`) off."""

    mask: np.ndarray
    box: Box
    side: float
    centre: np.ndarray
    caution: str
    cut: bool
    hidden: bool


def find_body(
    space: Space, canal: Canal | None, label: int, name: str, settings: MeasureSettings
) -> Body | Missing:
    """Find the body of vertebra `label`."""
    block = _block(space, canal, label)
    if isinstance(block, Missing):
        return block
    slices = band(space, block.box, block.side, settings.band_mm)
    part = block.mask[slices - block.box[0].start]
    edges = space.edges(part, (slice(0, 0), *block.box[1:]), (1, 2))
    if edges:
        return Missing(f"its body is {cut_off(edges)}")
    found = _first(space, block, slices, _upright(space, canal, block))
    if isinstance(found, Missing):
        return found
    frame, _ = found
    frame, leans = _lean(space, canal, block, frame)
    found = _settle(space, block, slices, frame)
    if isinstance(found, Missing):
        return found
    caution = block.caution
    if found[1].bulge > _BULGE:
        caution = words(caution, f"One of its endplates bulges by {found[1].bulge:.0f} mm.")
    return Body(label, name, *found, leans, caution, block.cut, block.cut and block.hidden)


def band(space: Space, box: Box, side: float, width: float) -> np.ndarray:
    """Numbers of the slices of a box within a band around `side`; the nearest one at least."""
    numbers = np.arange(box[0].start, box[0].stop)
    near = np.abs(numbers - side) * space.thickness <= width / 2
    return numbers[near] if near.any() else numbers[[np.abs(numbers - side).argmin()]]


def _block(space: Space, canal: Canal | None, label: int) -> _Block | Missing:
    """The part of a vertebra in front of the canal.

    First row by row, which tells about where it is; then level by level along the canal, because rows
    cut a leaning spine askew, and where a vertebra has slipped the canal may lie in front of its neighbour.
    Whether the canal lies beside it is asked of levels too: that beside a body which leans by 60 degrees is
    three centimetres higher or lower in the scan.
    """
    if canal is None or not np.isfinite(canal.front).any():
        return Missing(_NO_CANAL)
    mask, box = space.bone(label)
    known = np.isfinite(canal.front)
    rows = np.arange(len(known))
    front = np.interp(rows, rows[known], canal.front[known])[box[1]]
    columns = np.arange(box[2].start, box[2].stop)
    ahead = mask & (columns[None, None] < front[None, :, None])
    if not ahead.any():
        return Missing("all of it lies behind the spinal canal")
    first = _placed(space, canal, ahead, box, "")
    body, beside = _in_front(space, canal, mask, box, _upright(space, canal, first))
    if not body.any() and beside:
        return Missing("all of it lies behind the spinal canal")
    if beside < _LEAST_CANAL:
        return Missing(_NO_CANAL)
    found = main_piece(body)
    if found is None:
        return Missing("its body is labelled in separate pieces")
    body, loose = found
    caution = words(loose, "A tumour is marked in it." if label in space.tumours else "", space.coarse)
    return _placed(space, canal, body, box, caution)


def _in_front(
    space: Space, canal: Canal, mask: np.ndarray, box: Box, frame: Frame
) -> tuple[np.ndarray, float]:
    """The part of a mask in front of the canal, level by level up the frame, and what share of that part
    has a canal at its level."""
    low, high = max(0, box[1].start - _MORE), min(len(canal.side), box[1].stop + _MORE)
    index = np.argwhere(space.labels[:, low:high] == CANAL_LABEL) + np.array([0, low, 0])
    near = np.abs(index[:, 0] - canal.side[index[:, 1]]) * space.thickness <= max(4.0, space.thickness / 2)
    if not near.any():
        return np.zeros(mask.shape, bool), 0.0
    local = frame.local(space.world(index[near]))
    start = int(np.floor(local[:, 2].min()))
    level = np.floor(local[:, 2]).astype(int) - start
    # In front of all but the foremost twentieth of a level's canal: a stray voxel does not cut into a body.
    front = np.full(int(level.max()) + 1, np.nan)
    order = np.lexsort((local[:, 1], level))
    counts = np.bincount(level, minlength=len(front))
    stops = np.cumsum(counts)
    has = counts > 0
    front[has] = local[order, 1][(stops - 1 - counts // 20)[has]]
    places = start + 0.5 + np.flatnonzero(has)
    inside = np.argwhere(mask) + np.array([b.start for b in box])
    _, ahead, up = frame.local(space.world(inside)).T
    out = np.zeros(mask.shape, bool)
    out[mask] = ahead > np.interp(up, places, median_filter(front[has], 5, mode="nearest"))
    levels = up[out[mask]]
    return out, float(_reached(levels, places).mean()) if len(levels) else 1.0


def _reached(up: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which heights `up`, mm, lie between `places` (rising) where the canal is, or little beyond the ends."""
    at = np.searchsorted(places, up)
    below, above = np.append(-np.inf, places)[at], np.append(places, np.inf)[at]
    gap = above - below
    return np.where(np.isinf(gap), np.minimum(up - below, above - up) <= BEYOND, gap <= BRIDGE)


def _placed(space: Space, canal: Canal, body: np.ndarray, box: Box, caution: str) -> _Block:
    """Find the middle of a body, and how it is turned to the side."""
    index = np.argwhere(body) + np.array([b.start for b in box])
    centre = index.mean(0)
    first, last = np.quantile(index[:, 1], (0.2, 0.8)).astype(int)
    rows = slice(first, last + 1)
    beside = canal.side[rows]
    sac = float(np.nanmean(beside)) if np.isfinite(beside).any() else float(centre[0])
    cut = bool(space.edges(body, box, (0,)))
    side = sac if cut else footprint(body) + box[0].start
    hidden = bool(canal.cut[rows].any())
    return _Block(body, box, side, centre, caution, cut, hidden)


def footprint(mask: np.ndarray) -> float:
    """Middle slice, with fractions, of what a mask covers from above, so that a wedge pulls it to no side."""
    width = mask.any(1).sum(1)
    return float(np.average(np.arange(len(width)), weights=width))


def _upright(space: Space, canal: Canal, block: _Block) -> Frame:
    """Axes to start from: up along the canal, in the plane of the slices, from the body's middle."""
    up = canal.upward(space, block.centre[1])
    up = -space.down if up is None else up
    place = space.world(np.array([[block.side, block.centre[1], block.centre[2]]]))[0]
    return axes(place, space.right, up)


def _first(space: Space, block: _Block, slices: np.ndarray, frame: Frame) -> tuple[Frame, Outline] | Missing:
    """Settle from axes along the canal; where that fails from leaning ones, as L5 leans against its canal."""
    failed = found = _settle(space, block, slices, frame)
    for angle in np.radians(_LEANING):
        if not isinstance(found, Missing):
            return found
        up = np.cos(angle) * frame.w + np.sin(angle) * frame.v
        found = _settle(space, block, slices, axes(frame.origin, frame.u, up))
    return failed if isinstance(found, Missing) else found


def _settle(space: Space, block: _Block, slices: np.ndarray, frame: Frame) -> tuple[Frame, Outline] | Missing:
    """Turn and move the axes until `w` is square to the middle plane and the origin is the centre."""
    soft = soften(block.mask, block.box, slices)
    found: Outline | Missing = Missing("")
    for _ in range(3):
        found = outline_of(take(space, soft, frame, _REACH))
        if isinstance(found, Missing):
            return found
        angle = np.mean(np.arctan(found.tilts))
        up = np.cos(angle) * frame.w - np.sin(angle) * frame.v
        frame = axes(frame.world(*found.centre), frame.u, up)
    found = outline_of(take(space, soft, frame, _REACH))
    return found if isinstance(found, Missing) else (frame, found)


def _lean(
    space: Space, canal: Canal, block: _Block, frame: Frame
) -> tuple[Frame, tuple[float, float] | None]:
    """Turn the axes to the body's own sides, and follow its endplates there."""
    width = float(np.count_nonzero(block.mask.any((1, 2)))) * space.thickness
    wide = band(space, block.box, block.side, max(_WIDE, _SHARE * width))
    section = take(space, soften(block.mask, block.box, wide), frame, _REACH)
    slopes = [_side_slope(section, sign) for sign in (1, -1)]
    if None in slopes:
        return _twisted(space, canal, block, frame), None
    upper, lower = (float(np.clip(slope, -_STEEPEST_LEAN, _STEEPEST_LEAN)) for slope in slopes)
    mean = np.tan((np.arctan(upper) + np.arctan(lower)) / 2)
    turned = axes(frame.origin, frame.u + mean * frame.w, frame.w)
    rest = tuple(float(np.tan(np.arctan(slope) - np.arctan(mean))) for slope in (upper, lower))
    return _twisted(space, canal, block, turned), rest


def _twisted(space: Space, canal: Canal, block: _Block, frame: Frame) -> Frame:
    """Axes turned so that the canal lies straight behind, where the scan shows the sides of both."""
    if block.cut or block.hidden:
        return frame
    behind = canal.level_with(space, frame.origin, frame.w)
    if behind is None:
        return frame
    right, front, _ = frame.local(behind[None])[0]
    twist = float(np.clip(right / max(-front, 10.0), -_STEEPEST_TWIST, _STEEPEST_TWIST))
    return axes(frame.origin, frame.u + twist * frame.v, frame.w)


def _side_slope(section: Section, sign: int) -> float | None:
    """Slope to the right of the upper (`sign` 1) or lower endplate; None where too little of it is seen."""
    row = int(np.abs(section.up).argmin())
    inner = np.abs(section.front) <= 11
    heights = np.full(len(section.slices), np.nan)
    for k, cover in enumerate(section.slices):
        edge = crossings(cover[:, inner], section.up, row, sign)
        if np.isfinite(edge).mean() > 0.7:
            heights[k] = np.nanmean(edge)
    known = np.isfinite(heights)
    if known.sum() < 4 or np.ptp(section.right[known]) < _LEAST_WIDTH:
        return None
    # A hollow endplate seen more to one side than to the other would seem to lean.
    return robust_bow(section.right[known], heights[known])
