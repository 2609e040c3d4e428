"""Draws one person's spine: sizes, posture and variation of every vertebra, disc and sacral segment.

Mean sizes are rounded from published morphometry of lumbar vertebrae (Zhou et al., Eur Spine J
2000; Berry et al., Spine 1987) and lie inside the spread of SPIDER's reference masks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.anatomy import FIRST_DISC_LABEL
from napari_spineseg.synthesis.phantom.settings import PhantomSettings
from napari_spineseg.synthesis.phantom.shapes import Frame, rotation

# From the lowest lumbar vertebra upward: L5 L4 L3 L2 L1 T12 T11 T10 T9 T8. Lengths in mm, angles in degrees.
_TABLE = {
    "depth": (38.5, 39.8, 39.6, 38.4, 36.2, 34.6, 33.4, 32.2, 31.2, 30.0),
    "width": (53.0, 48.5, 46.5, 45.0, 44.0, 42.0, 39.0, 37.0, 35.0, 33.0),
    "height": (27.0, 27.8, 28.0, 27.6, 26.6, 25.2, 23.8, 22.6, 21.6, 20.6),
    "wedge": (8.0, 3.0, 1.0, -1.0, -2.0, -3.0, -4.0, -4.0, -4.0, -4.0),
    "disc": (9.2, 9.4, 8.8, 8.0, 7.2, 6.4, 5.4, 4.8, 4.4, 4.2),
    "disc_wedge": (13.0, 9.0, 7.0, 5.0, 4.0, 2.0, 1.0, 0.0, 0.0, 0.0),
    "sac_depth": (13.3, 13.0, 13.3, 13.7, 14.4, 14.3, 13.9, 13.5, 13.2, 13.0),
    "sac_width": (18.0, 19.2, 20.4, 21.2, 21.2, 19.8, 18.6, 17.6, 17.0, 17.0),
    "pedicle": (6.5, 5.0, 4.5, 4.0, 3.8, 3.8, 3.6, 3.3, 3.2, 3.2),
    "transverse": (24.0, 25.0, 29.0, 26.0, 21.0, 9.0, 12.0, 16.0, 18.0, 18.0),
    "spinous_length": (23.0, 28.0, 30.0, 30.0, 28.0, 25.0, 26.0, 28.0, 30.0, 30.0),
    "spinous_drop": (5.0, 6.0, 7.0, 7.0, 8.0, 12.0, 18.0, 24.0, 28.0, 28.0),
}
_SACRUM = {
    "depth": (31.0, 22.0, 16.0, 12.0, 9.0),
    "width": (47.0, 38.0, 30.0, 24.0, 20.0),
    "height": (29.0, 24.0, 20.0, 18.0, 16.0),
    "turn": (6.0, 9.0, 1.0, -16.0, -22.0),
    "gap": (4.0, 2.0, 1.2, 1.0, 1.0),
}


@dataclass(frozen=True)
class Vertebra:
    """One vertebra. `label` as in the `levels` scheme; lengths in mm, `wedge` in degrees."""

    label: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    concavity: float
    waist: float
    sac_depth: float
    sac_width: float
    pedicle: float
    transverse: float
    spinous_length: float
    spinous_drop: float
    fatty_below: float = 0.0
    fatty_above: float = 0.0

    @property
    def back(self) -> float:
        """v of the posterior wall."""
        return -self.depth / 2


@dataclass(frozen=True)
class Disc:
    """One disc; its frame lies in its middle plane. `tilt_u` is the coronal wedge in degrees."""

    label: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    tilt_u: float
    concavity: float
    bulge: float
    degenerate: bool
    bright_zone: bool


@dataclass(frozen=True)
class SacralSegment:
    """One sacral body, 0 = S1. Never labelled, as in SPIDER."""

    index: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    gap: float


@dataclass(frozen=True)
class Spine:
    """All bones and discs, ordered from the lumbosacral junction outward."""

    vertebrae: tuple[Vertebra, ...]
    discs: tuple[Disc, ...]
    sacrum: tuple[SacralSegment, ...]
    scale: float
    conus_label: int


def draw_spine(settings: PhantomSettings, rng: np.random.Generator) -> Spine:
    """Draw a spine; the middle of the lumbar part is placed at the origin of RAS space."""
    scale = float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.12))
    slope = float(np.clip(rng.normal(38, 5), 26, 48))
    sizes = _draw_sizes(settings, rng, scale)
    _balance(sizes[: settings.lumbar_levels], slope, lean=float(rng.normal(-16, 3)))
    worn = _worn_discs(settings, rng, len(sizes))
    vertebrae, discs = _stack(settings, rng, sizes, worn, slope)
    spine = Spine(vertebrae, discs, _hang_sacrum(slope, scale, rng), scale, _conus(settings, rng))
    return _centred(spine, settings.lumbar_levels)


def _conus(settings: PhantomSettings, rng: np.random.Generator) -> int:
    """Label of the vertebra at whose lower edge the cord ends: T12, L1 or L2, most often L1."""
    return settings.lumbar_levels + int(rng.choice([-1, 0, 1], p=[0.2, 0.6, 0.2]))


def _draw_sizes(settings: PhantomSettings, rng: np.random.Generator, scale: float) -> list[dict[str, float]]:
    """Sizes of each level: table, scaled to the person, with a few per cent of their own.

    With four or six lumbar vertebrae the table's five are stretched over them.
    """
    count = settings.lumbar_levels
    position = [k * 4 / (count - 1) if k < count else 5 + k - count for k in range(count + 5)]
    shape = {
        name: rng.normal(1, 0.05) for name in ("depth", "width", "height", "disc", "sac_depth", "sac_width")
    }
    sizes = []
    for place in position:
        size = {name: float(np.interp(place, range(len(row)), row)) for name, row in _TABLE.items()}
        for name in size:
            if not name.endswith("wedge"):
                size[name] *= scale * shape.get(name, 1.0) * rng.normal(1, 0.02)
        size["wedge"] += rng.normal(0, 1)
        size["disc_wedge"] += rng.normal(0, 1)
        sizes.append(size)
    return sizes


def _balance(sizes: list[dict[str, float]], slope: float, lean: float) -> None:
    """Scale the lumbar wedges so that the top of L1 leans back as it does in people who lie on a table."""
    total = sum(size["wedge"] + size["disc_wedge"] for size in sizes)
    excess = (slope - lean - total) / len(sizes)
    for size in sizes:
        size["disc_wedge"] += 0.7 * excess
        size["wedge"] += 0.3 * excess


def _worn_discs(settings: PhantomSettings, rng: np.random.Generator, count: int) -> set[int]:
    """Labels of the degenerate discs; the lowest ones wear first."""
    chance = np.where(np.arange(count) < 2, 0.5, 0.15)
    drawn = {FIRST_DISC_LABEL + k for k in np.flatnonzero(rng.random(count) < chance)}
    return drawn if settings.degenerate_discs is None else set(settings.degenerate_discs)


def _stack(
    settings: PhantomSettings,
    rng: np.random.Generator,
    sizes: list[dict[str, float]],
    worn: set[int],
    slope: float,
) -> tuple[tuple[Vertebra, ...], tuple[Disc, ...]]:
    """Build disc, vertebra, disc, ... upward from the sacral endplate at the origin."""
    place, tilt, roll = np.zeros(3), slope, 0.0
    vertebrae, discs = [], []
    for k, size in enumerate(sizes):
        label = FIRST_DISC_LABEL + k
        height = size["disc"] * (rng.uniform(0.5, 0.7) if label in worn else 1.0)
        wedge = size["disc_wedge"]
        new_roll, twist = _scoliosis(settings, k)
        frame = Frame(place, rotation(tilt - wedge / 2, (roll + new_roll) / 2, twist))
        frame = replace(frame, origin=frame.world((0, 0, height / 2)))
        discs.append(_disc(label, frame, size, height, wedge, new_roll - roll, label in worn, rng))
        place = frame.world((0, settings.slip_mm if label == settings.slip_disc else 0, height / 2))
        tilt, roll = tilt - wedge, new_roll
        bone = Frame(place, rotation(tilt - size["wedge"] / 2, roll, twist))
        bone = replace(bone, origin=bone.world((0, 0, size["height"] / 2)))
        vertebrae.append(_vertebra(k + 1, bone, size, label in worn, label + 1 in worn, rng))
        place = bone.world((0, 0, size["height"] / 2))
        tilt -= size["wedge"]
    return tuple(vertebrae), tuple(discs)


def _scoliosis(settings: PhantomSettings, k: int) -> tuple[float, float]:
    """(roll, twist) in degrees of level k: one full sine of tilt over the lumbar part, apex in its middle."""
    phase = min((k + 0.5) / settings.lumbar_levels, 1.0)
    return (
        settings.scoliosis_deg / 2 * float(np.sin(2 * np.pi * phase)),
        0.35 * settings.scoliosis_deg * float(np.sin(np.pi * phase)),
    )


def _disc(
    label: int,
    frame: Frame,
    size: dict[str, float],
    height: float,
    wedge: float,
    tilt_u: float,
    worn: bool,
    rng: np.random.Generator,
) -> Disc:
    return Disc(
        label=label,
        frame=frame,
        depth=size["depth"] * 1.02,
        width=size["width"] * 1.01,
        height=height,
        wedge=wedge,
        tilt_u=tilt_u,
        concavity=1.0 if worn else 2.0,
        bulge=float(rng.uniform(0.8, 2.6)) if worn else float(rng.uniform(0, 0.8)),
        degenerate=worn,
        bright_zone=worn and bool(rng.random() < 0.3),
    )


def _vertebra(
    label: int,
    frame: Frame,
    size: dict[str, float],
    worn_below: bool,
    worn_above: bool,
    rng: np.random.Generator,
) -> Vertebra:
    """A vertebra; half of the worn discs leave fatty (Modic 2) bands in the endplates beside them."""
    fatty = rng.uniform(3, 9, 2) * (rng.random(2) < 0.5)
    own = ("depth", "width", "height", "wedge", "sac_depth", "sac_width", "pedicle", "transverse")
    own += ("spinous_length", "spinous_drop")
    return Vertebra(
        label=label,
        frame=frame,
        concavity=float(rng.uniform(1.6, 2.8)),
        waist=float(rng.uniform(0.07, 0.12)),
        fatty_below=float(fatty[0]) if worn_below else 0.0,
        fatty_above=float(fatty[1]) if worn_above else 0.0,
        **{name: size[name] for name in own},
    )


def _hang_sacrum(slope: float, scale: float, rng: np.random.Generator) -> tuple[SacralSegment, ...]:
    """S1 to S5 downward from the sacral endplate at the origin."""
    place, tilt, segments = np.zeros(3), slope, []
    for k in range(5):
        depth, width, height, turn, gap = (_SACRUM[n][k] for n in ("depth", "width", "height", "turn", "gap"))
        turn += rng.normal(0, 1.5)
        height *= scale * rng.normal(1, 0.03)
        frame = Frame(place, rotation(tilt + turn))
        frame = replace(frame, origin=frame.world((0, 0, -height / 2)))
        wedge = 2 * turn if k == 0 else 0.0
        segments.append(SacralSegment(k, frame, depth * scale, width * scale, height, wedge, gap * scale))
        tilt += 2 * turn if k == 0 else turn
        place = frame.world((0, -0.06 * depth, -height / 2 - gap * scale))
    return tuple(segments)


def _centred(spine: Spine, lumbar: int) -> Spine:
    """The same spine, moved so that the middle of the lumbar column lies at the origin."""
    middle = np.mean([v.frame.origin for v in spine.vertebrae[:lumbar]], axis=0)

    def moved(part):
        return replace(part, frame=replace(part.frame, origin=part.frame.origin - middle))

    return replace(
        spine,
        vertebrae=tuple(map(moved, spine.vertebrae)),
        discs=tuple(map(moved, spine.discs)),
        sacrum=tuple(map(moved, spine.sacrum)),
    )
