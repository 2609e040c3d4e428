"""Paints what lies in the spinal canal: fat, ligaments, dural sac, cord, roots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL
from napari_spineseg.grid import Box
from napari_spineseg.synthesis.phantom.canvas import Canvas
from napari_spineseg.synthesis.phantom.path import SacPath
from napari_spineseg.synthesis.phantom.shapes import ellipse, ellipsoid, squarish, strut
from napari_spineseg.synthesis.phantom.spine import Vertebra
from napari_spineseg.synthesis.phantom.tissues import Tissue

_CORD_RADII_MM = (4.6, 3.6)
_CONUS_LENGTH_MM = 32.0


@dataclass(frozen=True)
class Strand:
    """One root of the cauda equina: place across the sac (fractions of its half axes), and its end."""

    across: float
    depth: float
    phase: float
    wave: float
    end_z: float


def draw_strands(
    path: SacPath, vertebrae: tuple[Vertebra, ...], rng: np.random.Generator
) -> tuple[Strand, ...]:
    """Roots in the back of the sac, leaving it level by level: sacral ones inside, lumbar ones beside."""
    strands = []
    # Lying on their back, people have their roots at the back of the sac: here in three sheets, so
    # that they show as lines even where a thick slice averages over many of them.
    for depth in (-0.75, -0.42, -0.08):
        phase, wave = rng.uniform(0, 6.3), rng.uniform(16, 30)
        for across in np.linspace(-0.8, 0.8, 7) * np.sqrt(1 - depth**2) + rng.normal(0, 0.06, 7):
            own = depth + rng.normal(0, 0.03)
            strands.append(Strand(float(across), own, phase, wave, path.end_z + rng.normal(6, 4)))
    for bone in vertebrae[:5]:
        end = float(bone.frame.world((0, bone.back, -bone.height / 2))[2])
        for side in (-1, 1) if end < path.conus_z - 15 else ():
            across, depth = side * rng.uniform(0.5, 0.85), rng.uniform(-0.4, 0.1)
            strands.append(Strand(across, depth, rng.uniform(0, 6.3), rng.uniform(16, 30), end))
    return tuple(strands)


def paint_canal_fat(canvas: Canvas, path: SacPath, vertebrae: tuple[Vertebra, ...]) -> None:
    """Fat around the sac and through the foramina, with the roots that leave there; bones come on top."""
    tube = _tube(canvas, path, margin=26)
    if tube is None:
        return
    region, u, v, half_width, half_depth = tube
    # Wide enough to fill the foramina; behind the sac, hardly in front of it.
    canvas.paint(region, ellipse(u, v + 1.4, half_width + 14, half_depth + 1.4), Tissue.EPIDURAL_FAT, soft=2)
    for bone in vertebrae:
        place = canvas.around(bone.frame, (-32, bone.back - 42, -34), (32, bone.back + 6, 6))
        if place is None:
            continue
        region, p = place
        q = (np.abs(p[0]), p[1], p[2])
        edge = bone.sac_width / 2
        root = strut(
            q, (edge - 2, bone.back - 8, -2), (edge + 14, bone.back - 5, -0.62 * bone.height), (1.9, 3.4)
        )
        canvas.paint(region, root, Tissue.ROOT, soft=1.0)
        arch = bone.back - bone.sac_depth
        flavum = strut(
            q, (3, arch - 7.5, -0.5 * bone.height), (8, arch - 3.0, -0.95 * bone.height), (1.6, 1.8), tall=3.0
        )
        canvas.paint(region, flavum, Tissue.LIGAMENT)
        pad = ellipsoid(p, (0, arch - 5.5, -0.78 * bone.height), (4.5, 4.2, 11))
        canvas.paint(region, pad, Tissue.EPIDURAL_FAT, soft=1.5)


def paint_sac(canvas: Canvas, path: SacPath, strands: tuple[Strand, ...]) -> None:
    """Dura, CSF, cord and cauda equina; the sac is what is labelled as canal."""
    tube = _tube(canvas, path, margin=3)
    if tube is None:
        return
    region, u, v, half_width, half_depth = tube
    wall = squarish(u, v, half_width, half_depth)
    wall = np.maximum(wall, path.end_z - canvas.z[region[1], None])
    canvas.paint(region, wall, Tissue.DURA)
    canvas.paint(region, wall + 0.7, Tissue.CSF)
    canvas.mark(region, wall, CANAL_LABEL)
    _paint_cord(canvas, path, region, u, v, half_depth)
    inside = wall + 0.9
    z = canvas.z[region[1]]
    for s in strands:
        _paint_strand(canvas, s, path, region, (u, v, half_width, half_depth, inside), z)


def _paint_cord(
    canvas: Canvas, path: SacPath, region: Box, u: np.ndarray, v: np.ndarray, half_depth: np.ndarray
) -> None:
    """The cord, thickened at the lumbar enlargement, tapering to the conus and on as the filum."""
    z = canvas.z[region[1]]
    taper = np.clip((z - path.conus_z) / _CONUS_LENGTH_MM, 0, 1).astype(np.float32)[:, None] ** 0.7
    bulk = taper * (1 + 0.12 * np.exp(-(((z - path.conus_z - 40) / 20) ** 2)).astype(np.float32)[:, None])
    middle = v + 0.18 * half_depth * (1.6 - taper)
    canvas.paint(
        region, ellipse(u, middle, _CORD_RADII_MM[0] * bulk, _CORD_RADII_MM[1] * bulk), Tissue.CORD, soft=0.8
    )


def _paint_strand(
    canvas: Canvas, s: Strand, path: SacPath, region: Box, tube: tuple[np.ndarray, ...], z: np.ndarray
) -> None:
    """One dark line inside the sac from the conus to where it leaves."""
    u, v, half_width, half_depth, inside = tube
    rows = np.flatnonzero((z > s.end_z) & (z < path.conus_z + 30))
    if rows.size == 0:
        return
    rows = slice(rows[0], rows[-1] + 1)
    part = (region[0], slice(region[1].start + rows.start, region[1].start + rows.stop), region[2])
    drift = (0.05 * np.sin(z[rows] / s.wave + s.phase)).astype(np.float32)[:, None]
    leave = np.clip(1 - (z[rows] - s.end_z) / 25, 0, 1).astype(np.float32)[:, None]
    # Roots leave the conus one by one, so they come out of its middle.
    fan = np.clip((path.conus_z + 34 - z[rows]) / 34, 0, 1).astype(np.float32)[:, None]
    across = fan * (s.across + drift) + np.sign(s.across) * 0.9 * leave * (1 - abs(s.across))
    depth = fan * (s.depth * (1 - 0.5 * leave) + drift) - 0.15 * (1 - fan)
    du = u[:, rows] - across * half_width[rows]
    dv = v[rows] - depth * half_depth[rows]
    distance = np.maximum(np.sqrt(du**2 + dv**2) - 0.7, inside[:, rows])
    canvas.paint(part, distance, Tissue.ROOT, opacity=0.85)


def _tube(canvas: Canvas, path: SacPath, margin: float) -> tuple[Box, np.ndarray, ...] | None:
    """The region around the sac with its cross-section coordinates (u right, v front) and half axes.

    u: (planes, rows, 1), v: (rows, columns), half axes: (rows, 1).
    """
    y = path.at("y", canvas.z)
    shown = canvas.z > path.end_z - 12
    if not shown.any():
        return None
    low = (path.x.min() - margin - 14, y[shown].min() - margin - 10, path.end_z - 12)
    high = (path.x.max() + margin + 14, y[shown].max() + margin + 10, canvas.z[0] + 1)
    region = canvas.region(low, high)
    if region is None:
        return None
    z = canvas.z[region[1]]
    u = canvas.x[region[0], None, None] - path.at("x", z)[:, None]
    v = (canvas.y[None, region[2]] - path.at("y", z)[:, None]) * path.lean(z)[:, None]
    return region, u, v, path.at("half_width", z)[:, None], path.at("half_depth", z)[:, None]
