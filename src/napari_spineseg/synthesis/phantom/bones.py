"""Paints vertebrae, discs and sacrum. Coordinates are local to each: u right, v front, w up."""

from __future__ import annotations

import numpy as np

from napari_spineseg.grid import Box
from napari_spineseg.synthesis.phantom.canvas import Canvas
from napari_spineseg.synthesis.phantom.shapes import (
    Points,
    ellipsoid,
    plate,
    smooth_intersection,
    smooth_union,
    strut,
)
from napari_spineseg.synthesis.phantom.spine import Disc, SacralSegment, Vertebra
from napari_spineseg.synthesis.phantom.tissues import Tissue

_SHELL_MM = 1.0
# SPIDER's labels leave the cortical shell out: between vertebra and disc 1.6 mm stay unlabelled (median).
_VERTEBRA_MARGIN_MM = 0.75
_DISC_MARGIN_MM = 0.7
_THINNEST_DISC_MM = 2.2
_FILLET_MM = 3.0


def oval(u: np.ndarray, v: np.ndarray, half_width: np.ndarray, half_depth: np.ndarray) -> np.ndarray:
    """Distance to the outline of an endplate: round in front, flat and slightly hollow behind."""
    behind = v < 0
    hollow = 1.3 / (1 + (u / 8) ** 2)
    side = (u / half_width) ** 2
    across = (v / np.where(behind, half_depth - hollow, half_depth)) ** 2
    radius = np.sqrt(side + np.where(behind, across * across, across))
    return (radius - 1) * half_depth * np.where(behind, np.float32(0.6), np.float32(1.0))


def bowl(u: np.ndarray, v: np.ndarray, half_width: float, half_depth: float, depth: float) -> np.ndarray:
    """How far the endplate's rim rises over its mean: `depth` mm lower in the middle than at the rim."""
    radius2 = (u / np.float32(half_width)) ** 2 + (
        (v + np.float32(0.15 * half_depth)) / np.float32(half_depth)
    ) ** 2
    return np.float32(depth) * (np.minimum(radius2, 1.15) - np.float32(0.5))


def body_distance(p: Points, v: Vertebra) -> np.ndarray:
    """Distance to a vertebral body: waisted walls, hollow endplates, wedge."""
    u, front, w = p
    half = np.float32(v.height / 2)
    waist = 1 - np.float32(v.waist) * np.maximum(1 - (w / half) ** 2, 0)
    wall = oval(u, front, np.float32(v.width / 2) * waist, np.float32(v.depth / 2) * waist)
    slant = front * np.float32(np.tan(np.deg2rad(v.wedge / 2)))
    end = np.abs(w) - (half + slant + bowl(u, front, v.width / 2, v.depth / 2, v.concavity))
    return smooth_intersection(wall, end, 2.5)


def posterior_distance(p: Points, v: Vertebra) -> np.ndarray:
    """Distance to the arch: pedicles, pars with both facets, laminae, spinous and transverse processes."""
    u, side = p[0], np.abs(p[0])
    q = (side, p[1], p[2])
    nearest, farthest = float(side.min()), float(side.max())
    lateral = v.sac_width / 2 + v.pedicle
    arch = v.back - v.sac_depth
    h = v.height
    distance = np.full(np.broadcast_shapes(*(a.shape for a in p)), 40.0, np.float32)

    def add(low: float, high: float, shape) -> None:
        # A part that lies wholly beside these planes is not worth computing.
        nonlocal distance
        if nearest < high + 3 and farthest > low - 3:
            distance = smooth_union(distance, shape(), _FILLET_MM)

    thick = v.pedicle
    add(
        lateral - thick,
        lateral + thick,
        lambda: strut(
            q,
            (lateral - 1, v.back + 5, 0.2 * h),
            (lateral, v.back - 9, 0.15 * h),
            (thick, thick),
            tall=6.8 / thick,
        ),
    )
    upper, pars, lower = _pillar(v, lateral)
    add(lateral - 5, lateral + 9, lambda: strut(q, upper, pars, (4.2, 4.0)))
    add(lateral - 8, lateral + 5, lambda: strut(q, pars, lower, (4.0, 4.6)))
    roof = (0.0, arch - 8.5, -0.36 * h)
    add(0, lateral + 2, lambda: strut(q, (lateral - 1, v.back - 15, -0.12 * h), roof, (3.4, 3.2), tall=2.6))
    tip = (0.0, arch - 9 - v.spinous_length, -0.42 * h - v.spinous_drop)
    add(0, 5, lambda: plate((u, p[1], p[2]), (0, arch - 6, -0.4 * h), tip, 3.0, (7.5, 9.5, 0)))
    wing = (lateral + 3 + v.transverse, v.back - 15 - (6 if v.transverse < 20 else 0), 0.12 * h)
    add(
        lateral,
        wing[0] + 4,
        lambda: strut(q, (lateral + 2, v.back - 11, 0.08 * h), wing, (4.2, 2.8), tall=1.5),
    )
    return distance


def _pillar(v: Vertebra, lateral: float) -> tuple[tuple, tuple, tuple]:
    """Top of the upper facet, pars, bottom of the lower facet (right side)."""
    return (
        (lateral + 3.5, v.back - 12, 0.58 * v.height),
        (lateral + 0.5, v.back - 15, -0.05 * v.height),
        (lateral - 2.5, v.back - 21.5, -0.88 * v.height),
    )


def paint_vertebra(canvas: Canvas, v: Vertebra) -> None:
    """Marrow within a dark shell, basivertebral vein, fatty endplate bands; the whole bone labelled."""
    tall = 0.95 * v.height + v.spinous_drop
    behind = v.sac_depth + 22 + v.spinous_length
    wide = v.sac_width / 2 + v.pedicle + 10 + v.transverse
    place = canvas.around(
        v.frame,
        (-max(wide, v.width / 2 + 2), v.back - behind, -tall),
        (wide, v.depth / 2 + 3, 0.8 * v.height),
    )
    if place is None:
        return
    region, p = place
    distance = smooth_union(body_distance(p, v), posterior_distance(p, v), _FILLET_MM)
    _paint_bone(canvas, region, distance)
    for edge, thickness in ((-1, v.fatty_below), (1, v.fatty_above)):
        if thickness:
            band = edge * p[2] - np.float32(v.height / 2 - thickness)
            inside = np.maximum(np.maximum(distance + 1.5, -band), v.back - p[1])
            canvas.paint(region, inside, Tissue.FATTY_MARROW, opacity=0.8, soft=4)
    vein = ellipsoid(p, (0, v.back + 1, 0), (8, 10, 2.2))
    canvas.paint(region, np.maximum(vein, distance), Tissue.VEIN, opacity=0.75, soft=1.5)
    canvas.mark(region, distance + _VERTEBRA_MARGIN_MM, v.label)


def paint_disc(canvas: Canvas, d: Disc) -> None:
    """Annulus, nucleus with its cleft (or a dry one), bulge; drawn before the bones that cap it."""
    reach = d.height / 2 + 6
    place = canvas.around(
        d.frame, (-d.width / 2 - 5, -d.depth / 2 - 6, -reach), (d.width / 2 + 5, d.depth / 2 + 4, reach)
    )
    if place is None:
        return
    region, p = place
    u, v, w = p
    slant = v * np.float32(np.tan(np.deg2rad(d.wedge / 2))) + u * np.float32(np.tan(np.deg2rad(d.tilt_u / 2)))
    half = d.height / 2 + slant - bowl(u, v, d.width / 2, d.depth / 2, d.concavity)
    half = np.maximum(half, 0.8)
    swell = np.float32(0.4) + np.float32(d.bulge) * np.maximum(-v / np.float32(d.depth / 2), 0) ** 2 / (
        1 + (u / 14) ** 2
    )
    outline = oval(u, v, np.float32(d.width / 2), np.float32(d.depth / 2)) - swell
    outline = outline + 0.5 * (w / np.maximum(half, 1)) ** 2
    distance = smooth_intersection(outline, np.abs(w) - half - 0.5, 1.5)
    canvas.paint(region, distance, Tissue.ANNULUS)
    centre = -0.06 * d.depth
    core = ellipsoid(
        (u, v - np.float32(centre), np.zeros_like(w)), (0, 0, 0), (0.33 * d.width, 0.31 * d.depth, 1)
    )
    core = np.maximum(core * np.float32(0.31 * d.depth), (np.abs(w) - half + 0.5) * 2.5)
    canvas.paint(region, core, Tissue.DRY_NUCLEUS if d.degenerate else Tissue.NUCLEUS, soft=4.0)
    cleft = ellipsoid(p, (0, centre, 0), (0.28 * d.width, 0.2 * d.depth, 1.0))
    canvas.paint(region, cleft, Tissue.ANNULUS, opacity=0.3, soft=2.5)
    if d.bright_zone:
        zone = ellipsoid(p, (3, -d.depth / 2 - d.bulge + 1.5, -0.5), (4, 1.6, 1.4))
        canvas.paint(region, zone, Tissue.BRIGHT_ZONE, opacity=0.8, soft=1.0)
    inner = np.abs(w) - np.maximum(half - _DISC_MARGIN_MM, _THINNEST_DISC_MM / 2)
    canvas.mark(region, np.maximum(distance, inner), d.label)


def _paint_bone(canvas: Canvas, region: Box, distance: np.ndarray) -> None:
    """Marrow within a dark shell."""
    canvas.paint(region, distance, Tissue.CORTEX)
    canvas.paint(region, distance + _SHELL_MM, Tissue.MARROW, soft=1.2)


def paint_sacrum(canvas: Canvas, segments: tuple[SacralSegment, ...]) -> None:
    """Tapering bodies with rudimentary discs, wings, crest; unlabelled, as in SPIDER."""
    _paint_wings(canvas, segments[1])
    for s in segments:
        behind = 34.0 - 3 * s.index
        place = canvas.around(
            s.frame, (-62, -s.depth / 2 - behind, -s.height), (62, s.depth / 2 + 6, s.height)
        )
        if place is None:
            continue
        region, p = place
        distance = smooth_union(_sacral_body(p, s), _sacral_arch(p, s), _FILLET_MM)
        _paint_bone(canvas, region, distance)
        _paint_remnant(canvas, region, p, s)


def _paint_wings(canvas: Canvas, second: SacralSegment) -> None:
    """The sacral wings and, beyond a dark joint, the iliac bones; placed from the second segment."""
    place = canvas.around(second.frame, (-90, -60, -45), (90, 45, 75))
    if place is None:
        return
    region, p = place
    q = (np.abs(p[0]), p[1], p[2])
    size = second.width / 38
    wing = ellipsoid(q, (26 * size, -3, 8), (22 * size, 14, 36))
    ilium = ellipsoid((q[0] - 0.25 * (q[1] + 15), q[1], q[2]), (60 * size, -10, 18), (9, 42, 48))
    for bone in (wing, ilium):
        _paint_bone(canvas, region, bone)
    for height in (24, -2):
        hole = ellipsoid(q, (19 * size, -4, height), (5, 16, 6))
        canvas.paint(region, hole, Tissue.EPIDURAL_FAT, soft=2)
        root = ellipsoid(q, (19 * size, -3, height + 1), (2.4, 9, 2.4))
        canvas.paint(region, root, Tissue.ROOT, soft=1)


def _paint_remnant(canvas: Canvas, region: Box, p: Points, s: SacralSegment) -> None:
    """What is left of the disc below a sacral body: a dark plate, brighter in its middle."""
    below = -s.height / 2 - s.gap / 2
    plate_ = oval(p[0], p[1], np.float32(0.44 * s.width), np.float32(0.44 * s.depth))
    plate_ = np.maximum(plate_, np.abs(p[2] - np.float32(below)) - np.float32(s.gap / 2 + 0.8))
    canvas.paint(region, plate_, Tissue.ANNULUS)
    core = ellipsoid(p, (0, -1, below), (0.25 * s.width, 0.3 * s.depth, 0.4 * s.gap + 0.2))
    canvas.paint(region, core, Tissue.NUCLEUS, opacity=0.7 if s.index < 2 else 0.3, soft=1.5)


def _sacral_body(p: Points, s: SacralSegment) -> np.ndarray:
    u, v, w = p
    narrowing = 1 + 0.22 * w / np.float32(s.height)
    wall = oval(u, v, np.float32(s.width / 2) * narrowing, np.float32(s.depth / 2) * narrowing)
    slant = v * np.float32(np.tan(np.deg2rad(s.wedge / 2)))
    end = np.abs(w) - (s.height / 2 + slant + bowl(u, v, s.width / 2, s.depth / 2, 1.0))
    return smooth_intersection(wall, end, 2.0)


def _sacral_arch(p: Points, s: SacralSegment) -> np.ndarray:
    """The roof of the sacral canal and the median crest."""
    q = (np.abs(p[0]), p[1], p[2])
    size = 1 - 0.16 * s.index
    back = -s.depth / 2
    roof_v = back - 19.0 + 2.5 * s.index
    side = strut(q, (17 * size, back - 4, 0), (13 * size, roof_v + 3, 0), (4.0, 3.0), tall=3.0)
    roof = strut(q, (13 * size, roof_v + 3, 0), (0, roof_v, -2), (3.0, 2.6), tall=3.2)
    crest = plate(p, (0, roof_v + 1, -2), (0, roof_v - 7 * size, -4), 2.5, (8, 6, 0))
    return smooth_union(smooth_union(side, roof, 2.0), crest, 2.0)
