"""Figures of a disc: its heights, depth, volume and height index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.grid import Box
from napari_spineseg.measurement.body import Body, band
from napari_spineseg.measurement.body_cut import footprint
from napari_spineseg.measurement.canal import Canal
from napari_spineseg.measurement.lines import robust_line
from napari_spineseg.measurement.reading import Reading, Readings, all_missing, line, words
from napari_spineseg.measurement.section import STEP, Section, crossings, soften, take
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.space import Frame, Missing, Space, axes, cut_off, main_piece

_REACH = (36.0, 22.0)
_SMALLEST_DEPTH = 12.0
# Rows of the scan that a disc must span, and below which its height is doubtful.
_FEWEST_ROWS, _FEW_ROWS = 1.5, 3.0
_WIDE, _LEAST_WIDTH, _STEEPEST = 14.0, 16.0, np.tan(np.radians(35))
# A disc ends where less than this share of its middle height is left, and where less than a millimetre is.
_END = 0.35
# Samples that "just inside" of an end means.
_INSIDE = 4
# What may lie beyond its ends, as a share of the area.
_BEYOND = 0.12
# Slices of the band may put an end of it this far apart, mm; from where on it is doubtful: as far as a model
# and people differ on a disc's depth (benchmarks/measurements.md).
_APART, _DOUBTFUL = 10.0, 5.0
_ROUNDS = 3
_PLACES = {"anterior": 1 / 3, "middle": 0.0, "posterior": -1 / 3}
_GEOMETRY = (*(f"disc_height_{place}" for place in (*_PLACES, "mean")), "disc_depth")


@dataclass(frozen=True, eq=False)
class Disc:
    """A disc.

    Attributes
    ----------
    frame
        Its axes: `w` square to its middle plane, `v` forward; from half way between its edges.
    depth
        mm between its edges.
    front, heights, middles
        (n,) mm: places along `v`, and there its height and the middle of it along `w`.
    mask, box, slices
        Its voxels, and the numbers of the slices of its band.
    caution
        What makes it doubtful, or nothing.
    """

    name: str
    frame: Frame
    depth: float
    front: np.ndarray
    heights: np.ndarray
    middles: np.ndarray
    mask: np.ndarray
    box: Box
    slices: np.ndarray
    caution: str = ""

    def height(self, share: float) -> Reading:
        """Mean over a sixth of the depth, at a share of the depth in front of the middle (-1/2 to 1/2)."""
        near = np.abs(self.front - share * self.depth) <= self.depth / 12
        value, middle = float(self.heights[near].mean()), float(np.nanmean(self.middles[near]))
        ends = (self.frame.world(share * self.depth, middle + sign * value / 2) for sign in (1, -1))
        return Reading(value, self.caution, (line(*ends),))

    @property
    def mean_height(self) -> float:
        """Area over depth, mm."""
        return float(self.heights.sum()) * STEP / self.depth

    @property
    def edges(self) -> tuple[np.ndarray, np.ndarray]:
        """(3,) RAS mm of its front and back edge in the middle plane."""
        return self.frame.world(self.depth / 2, 0), self.frame.world(-self.depth / 2, 0)


def find_disc(
    space: Space,
    canal: Canal | None,
    label: int,
    name: str,
    neighbours: Sequence[Body],
    settings: MeasureSettings,
) -> Disc | Missing:
    """Find the outline of disc `label`; `neighbours` are the bodies beside it that are known."""
    box, mask = space.boxes[label], space.mask(label)
    found = main_piece(mask)
    if found is None:
        return Missing("it is labelled in separate pieces")
    mask, loose = found
    caution = words(loose, space.coarse)
    index = np.argwhere(mask) + [b.start for b in box]
    side = _side(space, canal, mask, box, index, neighbours)
    slices = band(space, box, side, settings.band_mm)
    part = mask[slices - box[0].start]
    edges = space.edges(part, (slice(0, 0), *box[1:]), (1, 2))
    if edges:
        return Missing(f"it is {cut_off(edges)}")
    inner = index[np.isin(index[:, 0], slices)]
    frame = _start(space, canal, side, inner, neighbours)
    soft = soften(mask, box, slices)
    for _ in range(_ROUNDS):
        section = take(space, soft, frame, _REACH)
        settled = _settled(section)
        if isinstance(settled, Missing):
            return settled
        frame = settled
    frame = _leaning(space, mask, box, side, frame)
    return _read(space, name, (mask, box, slices), take(space, soft, frame, _REACH), caution)


def _side(space, canal, mask, box, index, neighbours) -> float:
    """Number of the slice, with fractions, of a disc's middle."""
    if not space.edges(mask, box, (0,)):
        return footprint(mask) + box[0].start
    if neighbours:
        return float(np.mean([space.index(body.frame.origin[None])[0, 0] for body in neighbours]))
    row = int(index[:, 1].mean())
    if canal is not None and np.isfinite(canal.side[row]):
        return float(canal.side[row])
    return float(index[:, 0].mean())


def _start(space, canal, side, inner, neighbours) -> Frame:
    """Axes to start from: those of the bodies beside it, else up along the canal."""
    centre = inner.mean(0)
    place = space.world(np.array([[side, centre[1], centre[2]]]))[0]
    if neighbours:
        right, up = (np.sum([getattr(body.frame, axis) for body in neighbours], axis=0) for axis in "uw")
        return axes(place, right, up)
    up = canal.upward(space, centre[1]) if canal is not None else None
    return axes(place, space.right, -space.down if up is None else up)


def _profile(section: Section) -> tuple[np.ndarray, np.ndarray]:
    """(n,) height of what is covered along `front`, and the middle of it, NaN where nothing is."""
    cover = section.cover
    height = cover.sum(0) * STEP
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.where(height > STEP, (cover * section.up[:, None]).sum(0) * STEP / height, np.nan)
    return height, middle


def _ends(section: Section, height: np.ndarray) -> tuple[float, float] | None:
    """Where the disc ends in front and behind, by its height falling off; None where it is torn between."""
    front = section.front
    least = max(1.0, _END * float(np.median(height[height > STEP])))
    high = np.flatnonzero(height >= least)
    if not len(high) or high[0] == 0 or high[-1] == len(front) - 1:
        return None
    if (height[high[0] : high[-1]] < STEP).any():
        return None
    # Half of the height just inside is where the edge of a blunt end lies.
    ends = []
    for edge, step in ((high[-1], 1), (high[0], -1)):
        start = edge - step * _INSIDE
        cover = (height / max(height[start], least))[:, None]
        ends.append(float(crossings(cover, front, start, step)[0]))
    return (ends[0], ends[1]) if np.isfinite(ends).all() else None


def _apart(section: Section, height: np.ndarray) -> float:
    """How far apart, mm, the slices put the front or the back end; infinite where one has no disc."""
    own = section.slices.sum(1) * STEP
    high = own >= max(1.0, _END * float(np.median(height[height > STEP])))
    if not high.any(1).all():
        return np.inf
    ends = high.argmax(1), high[:, ::-1].argmax(1)
    return STEP * float(max(np.ptp(end) for end in ends))


def _settled(section: Section) -> Frame | Missing:
    """Axes turned so that the middle plane is square to `w`, from half way between the edges."""
    _, middle = _profile(section)
    if not np.isfinite(middle).any():
        return Missing("too little of it is labelled")
    known = np.flatnonzero(np.isfinite(middle))
    low, high = section.front[known[0]], section.front[known[-1]]
    inner = np.abs(section.front - (low + high) / 2) <= 0.4 * (high - low)
    fit = robust_line(section.front[inner], middle[inner])
    if fit is None:
        return Missing("too little of it is labelled")
    old = section.frame
    angle = np.arctan(fit[1])
    centre = (low + high) / 2
    up = np.cos(angle) * old.w - np.sin(angle) * old.v
    return axes(old.world(centre, fit[0] + fit[1] * centre), old.u, up)


def _leaning(space: Space, mask: np.ndarray, box: Box, side: float, frame: Frame) -> Frame:
    """Axes that lean to the side with the disc, where enough of its sides is in the scan."""
    wide = take(space, soften(mask, box, band(space, box, side, 2 * _WIDE)), frame, _REACH)
    inner = wide.slices[:, :, np.abs(wide.front) <= 9]
    cover = inner.sum((1, 2))
    full = cover > 0.4 * cover.max()
    if full.sum() < 4 or np.ptp(wide.right[full]) < _LEAST_WIDTH:
        return frame
    middle = (inner.sum(2) @ wide.up)[full] / cover[full]
    fit = robust_line(wide.right[full], middle)
    slope = 0.0 if fit is None else float(np.clip(fit[1], -_STEEPEST, _STEEPEST))
    up = frame.w - slope * frame.u
    return axes(frame.origin, frame.u + slope * frame.w, up)


def _read(
    space: Space, name: str, voxels: tuple[np.ndarray, Box, np.ndarray], section: Section, caution: str
) -> Disc | Missing:
    """What the section says, from half way between the edges."""
    height, middle = _profile(section)
    up = section.frame.w
    row = max(abs(up @ space.down) * space.spacing[1], abs(up @ space.back) * space.spacing[2])
    if np.median(height[height > STEP]) < _FEWEST_ROWS * row:
        return Missing("it is too thin for the rows of this scan")
    ends = _ends(section, height)
    if ends is None:
        return Missing("its outline is broken")
    ahead, behind = ends
    depth, centre = ahead - behind, (ahead + behind) / 2
    apart = _apart(section, height)
    if apart > _APART:
        return Missing("the slices in the middle do not agree on where it ends")
    if apart > _DOUBTFUL:
        caution = words(caution, f"The slices in the middle put its ends up to {apart:.0f} mm apart.")
    if depth < _SMALLEST_DEPTH:
        return Missing("too little of it is labelled")
    inside = (section.front >= behind) & (section.front <= ahead)
    if height[~inside].sum() > _BEYOND * height.sum():
        return Missing("its outline is broken")
    frame = Frame(section.frame.world(centre, 0), section.frame.u, section.frame.v, section.frame.w)
    disc = Disc(name, frame, depth, section.front - centre, height, middle, *voxels, caution)
    if disc.mean_height < _FEW_ROWS * row:
        few = f"It is hardly higher than the rows of the scan are apart ({row:.1f} mm)."
        return replace(disc, caution=words(caution, few))
    return disc


def disc_readings(space: Space, label: int, disc: Disc | Missing) -> Readings:
    """Heights, depth and volume of one disc."""
    mask, box = space.mask(label), space.boxes[label]
    edges = space.edges(mask, box)
    volume = (
        Missing(f"it is {cut_off(edges)}") if edges else Reading(float(mask.sum()) * space.voxel_mm3 / 1000)
    )
    if isinstance(disc, Missing):
        return {**all_missing(_GEOMETRY, disc.reason), "disc_volume": volume}
    out: Readings = {f"disc_height_{place}": disc.height(share) for place, share in _PLACES.items()}
    front, back = disc.edges
    out["disc_height_mean"] = Reading(disc.mean_height, disc.caution, (line(front, back),))
    out["disc_depth"] = Reading(disc.depth, disc.caution, (line(front, back),))
    out["disc_volume"] = volume
    return out


def height_index(readings: Readings, bodies: Sequence[Reading | Missing], note: str) -> Reading | Missing:
    """Mean disc height over mean height of the bodies beside it, per cent. `note` is a caution."""
    heights = [readings[f"disc_height_{place}"] for place in _PLACES]
    for part in (*heights, *bodies):
        if isinstance(part, Missing):
            return part
    body = float(np.mean([b.value for b in bodies]))
    caution = words(*(part.caution for part in (*heights, *bodies)), note)
    return Reading(
        100 * float(np.mean([h.value for h in heights])) / body,
        caution,
        tuple(mark for h in heights for mark in h.marks),
    )
