"""The body of a vertebra, with its own axes and outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.grid import Box
from napari_spineseg.measurement.body_cut import Block, cut_body, upright
from napari_spineseg.measurement.canal import Canal
from napari_spineseg.measurement.lines import robust_bow
from napari_spineseg.measurement.outline import Outline, outline_of
from napari_spineseg.measurement.reading import words
from napari_spineseg.measurement.section import Section, crossings, soften, take
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.space import Frame, Missing, Space, axes, cut_off

# An endplate that rises this far over the line from rim to rim is doubtful, mm.
_BULGE = 3.0
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


def find_body(
    space: Space, canal: Canal | None, label: int, name: str, settings: MeasureSettings
) -> Body | Missing:
    """Find the body of vertebra `label`, called `name`; or say why it cannot be measured.

    The canal tells it from the posterior elements. Axes settle on its outline in the slices of a band of
    `settings.band_mm` around its middle, then lean to the side with its endplates.
    """
    block = cut_body(space, canal, label)
    if isinstance(block, Missing):
        return block
    slices = band(space, block.box, block.side, settings.band_mm)
    part = block.mask[slices - block.box[0].start]
    edges = space.edges(part, (slice(0, 0), *block.box[1:]), (1, 2))
    if edges:
        return Missing(f"its body is {cut_off(edges)}")
    found = _first(space, block, slices, upright(space, canal, block))
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


def _first(space: Space, block: Block, slices: np.ndarray, frame: Frame) -> tuple[Frame, Outline] | Missing:
    """Settle from axes along the canal; where that fails from leaning ones, as L5 leans against its canal."""
    failed = found = _settle(space, block, slices, frame)
    for angle in np.radians(_LEANING):
        if not isinstance(found, Missing):
            return found
        up = np.cos(angle) * frame.w + np.sin(angle) * frame.v
        found = _settle(space, block, slices, axes(frame.origin, frame.u, up))
    return failed if isinstance(found, Missing) else found


def _settle(space: Space, block: Block, slices: np.ndarray, frame: Frame) -> tuple[Frame, Outline] | Missing:
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


def _lean(space: Space, canal: Canal, block: Block, frame: Frame) -> tuple[Frame, tuple[float, float] | None]:
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


def _twisted(space: Space, canal: Canal, block: Block, frame: Frame) -> Frame:
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
