"""A spine drawn with a ruler: blocks and tubes whose every height, angle and area is known.

Phantoms look like people, and so nobody can say to the tenth of a millimetre how high their bodies
are. Here endplates are planes, walls are planes, the canal is a tube; what a measure should give
follows from the corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering
from napari_spineseg.grid import sagittal_affine
from napari_spineseg.scan import Segmentation
from napari_spineseg.synthesis.phantom.shapes import Frame

_GAP = 1.0
# Tubes of neighbours overlap by this much, so that a bend leaves no gap; the ends go on for longer.
_OVERLAP, _BEYOND = 4.0, 22.0


@dataclass(frozen=True)
class RuledLevel:
    """A vertebra and the disc below it: mm and degrees.

    `wedge` is positive where the front is the higher side, `roll` where the right is; both turn all
    that lies above. `slip` moves the vertebra forward along the upper endplate of the one below.
    """

    height: float = 27.0
    depth: float = 34.0
    width: float = 46.0
    wedge: float = 0.0
    roll: float = 0.0
    disc_height: float = 9.0
    disc_wedge: float = 0.0
    disc_roll: float = 0.0
    slip: float = 0.0


@dataclass(frozen=True, eq=False)
class RuledBlock:
    """A vertebral body or a disc in its own frame: planes above, below, in front and behind."""

    frame: Frame
    height: float
    depth: float
    width: float
    wedge: float
    roll: float

    def corner(self, up: int, front: int) -> np.ndarray:
        """(3,) RAS mm of a corner in the middle plane; `up` and `front` are 1 or -1."""
        v = front * self.depth / 2
        return self.frame.world((0, v, up * (self.height / 2 + v * np.tan(np.radians(self.wedge / 2)))))

    def endplate(self, up: int) -> np.ndarray:
        """(3,) unit vector forward along an endplate."""
        step = self.corner(up, 1) - self.corner(up, -1)
        return step / np.linalg.norm(step)


@dataclass(frozen=True, eq=False)
class RuledSpine:
    """Bodies and discs from the lowest upward, and the tube behind them."""

    bodies: tuple[RuledBlock, ...]
    discs: tuple[RuledBlock, ...]
    canal_depth: float = 15.0
    canal_width: float = 22.0

    @property
    def canal_area(self) -> float:
        """mm² of the tube, square to it."""
        return float(np.pi * self.canal_depth * self.canal_width / 4)

    def slip(self, above: int) -> float:
        """mm by which body `above` (from 0) lies in front of the one below, along that one's endplate."""
        low = self.bodies[above - 1]
        return float((self.bodies[above].corner(-1, -1) - low.corner(1, -1)) @ low.endplate(1))


def rule_spine(levels: Sequence[RuledLevel], turn: np.ndarray | None = None, **canal: float) -> RuledSpine:
    """Stack levels from the lowest upward, starting upright; `turn` (3, 3) then rotates the whole."""
    place, axes = np.zeros(3), np.eye(3)
    bodies, discs = [], []
    for level in levels:
        place = place + level.slip * axes[:, 1]
        for height, wedge, roll, out in (
            (level.disc_height, level.disc_wedge, level.disc_roll, discs),
            (level.height, level.wedge, level.roll, bodies),
        ):
            axes = axes @ _bend(wedge / 2, roll / 2)
            frame = Frame(place + axes[:, 2] * height / 2, axes)
            out.append(RuledBlock(frame, height, level.depth, level.width, wedge, roll))
            place = place + axes[:, 2] * height
            axes = axes @ _bend(wedge / 2, roll / 2)
    middle = place / 2
    turn = np.eye(3) if turn is None else turn

    def placed(block: RuledBlock) -> RuledBlock:
        return replace(block, frame=Frame(turn @ (block.frame.origin - middle), turn @ block.frame.axes))

    return RuledSpine(tuple(map(placed, bodies)), tuple(map(placed, discs)), **canal)


def _bend(back: float, left: float) -> np.ndarray:
    """(3, 3) rotation that leans what is above back and to the left, degrees."""
    (sb, cb), (sl, cl) = ((np.sin(np.radians(a)), np.cos(np.radians(a))) for a in (back, left))
    lean = np.array([[1, 0, 0], [0, cb, -sb], [0, sb, cb]])
    side = np.array([[cl, 0, -sl], [0, 1, 0], [sl, 0, cl]])
    return lean @ side


def draw_ruled(
    spine: RuledSpine,
    spacing: tuple[float, float, float] = (4.0, 0.7, 0.7),
    size: tuple[float, float, float] = (84.0, 0.0, 0.0),
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    gap: float = 0.0,
) -> Segmentation:
    """Labels of a ruled spine on a sagittal grid.

    Parameters
    ----------
    spacing
        Of slices, rows and columns, mm.
    size
        Of the field of view along the same axes, mm; 0 for as much as the spine takes and some room.
    shift
        Moves the field of view to the right, down and to the back, mm.
    gap
        Unlabelled mm on either side of every endplate.
    """
    ends = np.array([b.frame.origin for b in (*spine.bodies, *spine.discs)])
    room = (90.0, 90.0, 140.0)
    spans = np.ptp(ends, axis=0)[[0, 2, 1]]
    size = tuple(s or float(span) + more for s, span, more in zip(size, spans, room, strict=True))
    affine = sagittal_affine(spacing)
    shape = tuple(max(1, round(s / step)) for s, step in zip(size, spacing, strict=True))
    centre = (ends.min(0) + ends.max(0)) / 2 + [shift[0], -shift[2] - 22.0, -shift[1]]
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    labels = np.zeros(shape, np.uint16)
    x, z, y = (
        (affine[k, 3] + affine[k, a] * np.arange(shape[a])).astype(np.float32)
        for a, k in ((0, 0), (1, 2), (2, 1))
    )
    points = x[:, None, None], y[None, None, :], z[None, :, None]
    _paint(labels, points, spine, gap)
    return Segmentation(labels, affine, name="ruled", numbering=Numbering())


def _paint(labels: np.ndarray, points: tuple[np.ndarray, ...], spine: RuledSpine, gap: float) -> None:
    """Canal, then discs and vertebrae."""
    blocks = [*zip(spine.discs, spine.bodies, strict=True)]
    for n, pair in enumerate(blocks):
        for block, label in zip(pair, (FIRST_DISC_LABEL + n, n + 1), strict=True):
            reach = 48.0
            low, high = block.frame.box((-reach, -70, -46), (reach, 26, 46))
            box = _box(points, low, high)
            if box is None:
                continue
            i, r, c = box
            x, y, z = points
            local = block.frame.local((x[i], y[:, :, c], z[:, r]))
            part = labels[box]
            beyond = (
                (_BEYOND if label == FIRST_DISC_LABEL else _OVERLAP),
                (_BEYOND if block is spine.bodies[-1] else _OVERLAP),
            )
            part[_tube(local, block, spine, beyond) & (part == 0)] = CANAL_LABEL
            inside = _inside(local, block, gap)
            if label == n + 1:
                inside |= _posterior(local, block, spine)
            part[inside] = label


def _box(points: tuple[np.ndarray, ...], low: np.ndarray, high: np.ndarray) -> tuple[slice, ...] | None:
    """Index ranges that hold a world box: the grid runs along the world's axes."""
    lines = (points[0].ravel(), points[2].ravel(), points[1].ravel())
    spans = []
    for line, axis in zip(lines, (0, 2, 1), strict=True):
        near = np.flatnonzero((line >= low[axis]) & (line <= high[axis]))
        if not len(near):
            return None
        spans.append(slice(int(near[0]), int(near[-1]) + 1))
    return tuple(spans)


def _inside(local: tuple[np.ndarray, ...], block: RuledBlock, gap: float) -> np.ndarray:
    u, v, w = local
    half = (
        block.height / 2
        - gap
        + v * np.float32(np.tan(np.radians(block.wedge / 2)))
        + u * np.float32(np.tan(np.radians(block.roll / 2)))
    )
    return (np.abs(v) <= block.depth / 2) & (np.abs(u) <= block.width / 2) & (np.abs(w) <= half)


def _tube(
    local: tuple[np.ndarray, ...], block: RuledBlock, spine: RuledSpine, beyond: tuple[float, float]
) -> np.ndarray:
    """The tube behind a block, and as far as `beyond` its lower and upper end, mm."""
    u, v, w = local
    centre = -block.depth / 2 - _GAP - spine.canal_depth / 2
    oval = (u / (spine.canal_width / 2)) ** 2 + ((v - centre) / (spine.canal_depth / 2)) ** 2 <= 1
    return oval & (w >= -block.height / 2 - beyond[0]) & (w <= block.height / 2 + beyond[1])


def _posterior(local: tuple[np.ndarray, ...], block: RuledBlock, spine: RuledSpine) -> np.ndarray:
    """Pedicles, laminae and a spinous process."""
    side, (_, v, w) = np.abs(local[0]), local
    wall, arch = -block.depth / 2, -block.depth / 2 - 2 * _GAP - spine.canal_depth
    lateral = spine.canal_width / 2 + 1
    pedicle = (side > lateral) & (side < lateral + 8) & (v < wall + 1) & (v > arch - 6)
    pedicle &= (w > 0) & (w < block.height / 2 - 3)
    lamina = (side < lateral + 8) & (v < arch) & (v > arch - 6) & (w > -block.height / 2) & (w < 6)
    spinous = (side < 4) & (v < arch - 4) & (v > arch - 28) & (w > -block.height / 2 - 4) & (w < 0)
    return pedicle | lamina | spinous
