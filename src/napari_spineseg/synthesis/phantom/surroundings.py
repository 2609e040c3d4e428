"""Paints everything around the spine: skin, fat, muscle, vessels, bowel, ligaments along the bodies.

All of it is tied to two curves over height: where the spinous processes end, and where the fronts of
the bodies run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from napari_spineseg.synthesis.phantom.canvas import Canvas
from napari_spineseg.synthesis.phantom.shapes import ellipse, ellipsoid
from napari_spineseg.synthesis.phantom.spine import Spine
from napari_spineseg.synthesis.phantom.tissues import Tissue


@dataclass(frozen=True, eq=False)
class Blob:
    """A loop of bowel: centre and half axes in RAS mm, how bright its content is."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    content: float


@dataclass(frozen=True, eq=False)
class Torso:
    """Curves over rising `z` (mm, all RAS): the midline's tips, bodies and skin; muscle quality; bowel."""

    z: np.ndarray
    tip_y: np.ndarray
    body_x: np.ndarray
    body_y: np.ndarray
    half_depth: np.ndarray
    half_width: np.ndarray
    skin_y: np.ndarray
    belly_y: float
    infiltration: float
    lowest_body_z: float
    bowel: tuple[Blob, ...]

    def at(self, name: str, canvas_z: np.ndarray) -> np.ndarray:
        """A curve at the rows of a slice, (rows, 1) float32."""
        return np.interp(canvas_z, self.z, getattr(self, name)).astype(np.float32)[:, None]


def draw_torso(spine: Spine, rng: np.random.Generator) -> Torso:
    """Wrap a body around a spine."""
    bones = sorted([*spine.sacrum, *spine.vertebrae], key=lambda b: b.frame.origin[2])
    heights = [b.frame.origin[2] for b in bones]
    z = np.arange(heights[0] - 60, heights[-1] + 80, 1.0)

    def along(values: list[float], smooth: float = 12) -> np.ndarray:
        return gaussian_filter1d(np.interp(z, heights, values), smooth, mode="nearest")

    crest = [s.frame.world((0, -s.depth / 2 - 27 + 3 * s.index, -4)) for s in reversed(spine.sacrum)]
    tips = [
        v.frame.world((0, v.back - v.sac_depth - 9 - v.spinous_length, -0.4 * v.height))
        for v in spine.vertebrae
    ]
    places = np.array(crest + tips)
    tip_y = gaussian_filter1d(np.interp(z, *_rising(places[:, 2], places[:, 1])), 10, mode="nearest")
    fat = rng.uniform(7, 20) + rng.uniform(6, 22) * np.exp(-(((z - heights[4]) / 70) ** 2))
    skin_y = gaussian_filter1d(tip_y - 4, 35, mode="nearest")
    skin_y = np.minimum(skin_y - fat, tip_y - 6)
    belly = float(skin_y.mean() + rng.uniform(205, 240))
    body_y = along([b.frame.origin[1] for b in bones], 6)
    return Torso(
        z=z,
        tip_y=tip_y,
        body_x=along([b.frame.origin[0] for b in bones]),
        body_y=body_y,
        half_depth=along([b.depth / 2 for b in bones], 8),
        half_width=along([b.width / 2 for b in bones], 8),
        skin_y=skin_y,
        belly_y=belly,
        infiltration=float(rng.uniform(0.0, 1.0)),
        lowest_body_z=float(spine.vertebrae[0].frame.origin[2]),
        bowel=_draw_bowel(z, body_y, belly, rng),
    )


def _rising(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(z)
    return z[order], y[order]


def _draw_bowel(
    z: np.ndarray, body_y: np.ndarray, belly: float, rng: np.random.Generator
) -> tuple[Blob, ...]:
    blobs = []
    for _ in range(240):
        height = rng.uniform(z[0], z[-1])
        front = np.interp(height, z, body_y) + 48
        size = rng.uniform(8, 20)
        centre = (rng.uniform(-80, 80), rng.uniform(front, max(belly - 25, front + 30)), height)
        blobs.append(Blob(centre, tuple(size * rng.uniform(0.5, 1.7, 3)), float(rng.uniform(0.05, 1.0))))
    return tuple(blobs)


def paint_torso(canvas: Canvas, torso: Torso) -> None:
    """Skin, subcutaneous fat, back muscles, abdomen."""
    everywhere = canvas.everywhere
    x, y, _ = canvas.points(everywhere)
    aside = np.abs(x - torso.body_x.mean())
    # The back is furrowed in the midline and falls away at the flanks.
    flank = np.maximum(aside - 45, 0) ** 2 * 0.006
    bulge = 7 * (1 - np.exp(-((aside / 22) ** 2)))
    skin = torso.at("skin_y", canvas.z) + flank - 0.35 * bulge
    fascia = np.maximum(torso.at("tip_y", canvas.z) - 3 - bulge + flank, skin + 5)
    front = torso.belly_y - 0.004 * aside**2
    outside = np.maximum(skin - y, y - front)
    canvas.paint(everywhere, outside, Tissue.SKIN)
    canvas.paint(everywhere, outside + 1.8, Tissue.FAT)
    canvas.paint(everywhere, np.maximum(fascia - y, y - (front - 18)), Tissue.FASCIA)
    canvas.paint(everywhere, np.maximum(fascia - y, y - (front - 19)) + 1.2, _muscle(canvas, torso, aside))
    body = torso.at("body_y", canvas.z)
    half = torso.at("half_depth", canvas.z)
    abdomen = np.maximum(body - half - 8 + np.clip(aside - 60, -30, 40) * 0.4 - y, y - (front - 28))
    canvas.paint(everywhere, abdomen, Tissue.FAT, soft=2)
    for blob in torso.bowel:
        _paint_bowel(canvas, blob)
    _paint_kidneys(canvas, torso)
    _paint_psoas(canvas, torso)
    _paint_vessels(canvas, torso)


def _muscle(canvas: Canvas, torso: Torso, aside: np.ndarray) -> np.ndarray:
    """Muscle with streaks of fat: more of them low down, near the midline, and in some people."""
    streaks = 0.85 * canvas.textures["streaky"] + 0.4 * canvas.textures["mottled"]
    low = 1 / (1 + np.exp((canvas.z - torso.lowest_body_z - 15) / 25)).astype(np.float32)[:, None]
    threshold = 1.6 - 0.7 * torso.infiltration - 0.8 * low - 0.5 * np.exp(-((aside / 14) ** 2))
    share = 0.75 / (1 + np.exp(2.2 * (threshold - streaks)))
    everywhere = canvas.everywhere
    return (
        canvas.colour(Tissue.MUSCLE, everywhere) * (1 - share) + canvas.colour(Tissue.FAT, everywhere) * share
    )


def _paint_bowel(canvas: Canvas, blob: Blob) -> None:
    low, high = np.subtract(blob.centre, blob.radii), np.add(blob.centre, blob.radii)
    region = canvas.region(low - 2, high + 2)
    if region is None:
        return
    distance = ellipsoid(canvas.points(region), blob.centre, blob.radii)
    canvas.paint(region, distance, Tissue.BOWEL, soft=1.5)
    inner = canvas.colour(Tissue.BOWEL_CONTENT, region) * blob.content
    canvas.paint(region, distance + 2.2, inner, soft=2)


def _paint_psoas(canvas: Canvas, torso: Torso) -> None:
    """Psoas on both sides, thickening downward and drifting forward below the lumbar spine."""
    everywhere = canvas.everywhere
    x, y, _ = canvas.points(everywhere)
    grow = np.clip((torso.lowest_body_z + 150 - canvas.z) / 130, 0, 1.15).astype(np.float32)[:, None]
    below = np.maximum(torso.lowest_body_z - 5 - canvas.z, 0)[:, None].astype(np.float32)
    middle = torso.at("half_width", canvas.z) * np.minimum(1, 60 / (60 + below)) + 13 * grow
    u = np.abs(x - torso.at("body_x", canvas.z)) - middle - 0.25 * below
    v = y - torso.at("body_y", canvas.z) + 5 - 0.75 * below
    distance = ellipse(u, v, 6 + 15 * grow, 8 + 17 * grow)
    distance = np.where(grow > 0.02, distance, 50)
    canvas.paint(everywhere, distance, Tissue.FASCIA)
    canvas.paint(everywhere, distance + 1, Tissue.MUSCLE, soft=1.5)


def _paint_kidneys(canvas: Canvas, torso: Torso) -> None:
    """Both kidneys beside L1 to L3, the right one a little lower."""
    for side in (-1, 1):
        height = torso.lowest_body_z + (88 if side > 0 else 100)
        back = float(np.interp(height, torso.z, torso.body_y))
        middle = float(np.interp(height, torso.z, torso.body_x))
        centre = (middle + side * 56, back - 4, height)
        region = canvas.region(np.subtract(centre, (30, 32, 60)), np.add(centre, (30, 32, 60)))
        if region is None:
            continue
        points = canvas.points(region)
        outline = ellipsoid(points, centre, (26, 26, 54))
        canvas.paint(region, outline, Tissue.FASCIA)
        canvas.paint(region, outline + 1.2, Tissue.KIDNEY, soft=1.5)
        pelvis = ellipsoid(points, (centre[0] - side * 10, centre[1] + 4, centre[2]), (14, 8, 20))
        canvas.paint(region, pelvis, Tissue.FAT, opacity=0.8, soft=5)


def _paint_vessels(canvas: Canvas, torso: Torso) -> None:
    """Aorta (left) and inferior vena cava (right) as flow voids; both fork in front of L4/L5."""
    fork = torso.lowest_body_z + 22
    region = canvas.everywhere
    x, y, _ = canvas.points(region)
    below = np.maximum(fork - canvas.z, 0)[:, None].astype(np.float32)
    v = y - torso.at("body_y", canvas.z) - torso.at("half_depth", canvas.z) - 12 + 0.1 * below
    u = x - torso.at("body_x", canvas.z)
    for middle, width, depth in ((-11, 8.5, 8.5), (13, 10, 7.5)):
        away = u - np.sign(middle) * (abs(middle) + 0.55 * below)
        shrink = 1 - 0.28 * np.minimum(below / 15, 1)
        distance = ellipse(away, v, width * shrink, depth * shrink)
        canvas.paint(region, distance, Tissue.FASCIA)
        canvas.paint(region, distance + 1, Tissue.FLOW_VOID, soft=2)


def paint_ligaments(canvas: Canvas, spine: Spine) -> None:
    """Between the spinous processes, and the dark lines along the fronts and backs of the bodies."""
    for v in spine.vertebrae:
        length = v.spinous_length
        place = canvas.around(v.frame, (-8, v.back - 75, -48), (8, v.back - v.sac_depth - 2, 8))
        if place is None:
            continue
        region, p = place
        middle = (0, v.back - v.sac_depth - 10 - length / 2, -0.42 * v.height - 14)
        span = ellipsoid(p, middle, (4, length * 0.62, 14))
        canvas.paint(region, span, Tissue.LIGAMENT, opacity=0.35 if v.label % 3 == 1 else 0.65, soft=3)
    front = [v.frame.world((0, v.depth / 2 * (1 - v.waist) + 0.6, 0)) for v in spine.vertebrae]
    front += [d.frame.world((0, d.depth / 2 + 1.2, 0)) for d in spine.discs]
    _paint_sheet(canvas, np.array(front), bow=-1 / 50, half_width=15)
    back = [v.frame.world((0, v.back - 0.9, 0)) for v in spine.vertebrae]
    back += [d.frame.world((0, -d.depth / 2 - d.bulge - 0.8, 0)) for d in spine.discs]
    _paint_sheet(canvas, np.array(back), bow=0.0, half_width=8)


def _paint_sheet(canvas: Canvas, points: np.ndarray, bow: float, half_width: float) -> None:
    """A dark ligament 1.6 mm thick through midline `points` (n, 3); it bends by `bow` per mm sideways."""
    points = points[np.argsort(points[:, 2])]
    shown = (canvas.z > points[0, 2]) & (canvas.z < points[-1, 2] + 40)
    rows = np.flatnonzero(shown)
    if rows.size == 0:
        return
    z = canvas.z[rows]
    region = (slice(None), slice(rows[0], rows[-1] + 1), slice(None))
    curve = PchipInterpolator(points[:, 2], points[:, :2], extrapolate=True)(z).astype(np.float32)
    slope = np.gradient(curve[:, 1], z) if len(z) > 1 else np.zeros(1)
    x, y, _ = canvas.points(region)
    u = x - curve[:, :1]
    across = (y - curve[:, 1:] - np.float32(bow) * u * u) / np.sqrt(1 + slope[:, None] ** 2).astype(
        np.float32
    )
    sheet = np.maximum(np.abs(across) - 0.8, np.abs(u) - half_width)
    canvas.paint(region, sheet, Tissue.LIGAMENT, opacity=0.9)
