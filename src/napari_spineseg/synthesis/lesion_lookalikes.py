"""What radiologists tell from tumours, and a network must too. None of it is in a mask.

Every function changes the slab's image and returns where it did.
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis import lesion_greys as levels
from napari_spineseg.synthesis.lesion_brush import (
    Outline,
    canal_front,
    clear_of_discs,
    cover,
    distance_to,
    push_back,
    sleeve,
)
from napari_spineseg.synthesis.lesion_greys import Greys
from napari_spineseg.synthesis.lesion_shapes import capsule, waves
from napari_spineseg.synthesis.lesion_sites import Slab

_HOST_MM = 5.0


def haemangioma(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """Inside a body: coarse upright trabeculae in fat, sharp, the cortex untouched."""
    bone = slab.structures == Structure.VERTEBRA
    stripes = waves(slab.points(), rng.uniform(2.6, 4.0), lesion.seed, (1, rng.uniform(3, 6), 1))
    distance = distance_to(slab, lesion)
    greys = greys.beside(slab.image, bone & (distance < _HOST_MM), np.zeros_like(bone))
    bright = levels.like_fat(greys, rng)
    # Trabeculae as dark as the marrow around it, or darker: what tells it from a tumour must show.
    depth = max(rng.uniform(0.25, 0.45) * bright, 0.7 * greys.least * greys.top)
    grey = np.maximum(bright + np.float32(depth) * stripes, 0)
    return cover(slab, distance, slab.distance(bone) > 1.3, grey, 1.0, 0.6)


def endplate(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """Modic change: a band along the endplate that fades into the body."""
    bone = slab.structures == Structure.VERTEBRA
    x, _, z = slab.points()
    near = slab.distance(slab.structures != Structure.DISC) / np.float32(lesion.radii[1])
    along = ((z - lesion.centre[2]) / lesion.radii[2]) ** 2 + ((x - lesion.centre[0]) / lesion.radii[0]) ** 2
    wobble = 1 + 0.2 * waves(slab.points(), 8.0, lesion.seed)
    band = np.exp(-((near * wobble) ** 4)) * np.exp(-(along**2)) * bone * np.float32(rng.uniform(0.6, 0.95))
    grey = levels.either_way(greys.marrow, greys, rng)
    slab.image[...] += band * (grey - slab.image)
    return band > 0.3


def schmorl(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """Disc that broke through the endplate, with a thin rim."""
    bone = (slab.structures == Structure.VERTEBRA) | (slab.structures == 0)
    distance = distance_to(slab, lesion)
    rim = levels.either_way(greys.marrow, greys, rng)
    cover(slab, distance - 1.3, bone, rim, 0.8, 0.5)
    return cover(slab, distance, bone, greys.disc * rng.uniform(0.85, 1.15), 0.8, 0.7)


def vessel(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """The basivertebral vein in a body, or a vein or a void of flow along the sac."""
    x, y, z = lesion.centre
    radius, _, length = lesion.radii
    if rng.random() < 0.6:
        end = (x + rng.uniform(-2, 2), y + rng.uniform(-1.5, 1.5), z - length)
        allowed = slab.structures != Structure.DISC
        grey = levels.either_way(greys.marrow, greys, rng)
    else:
        z += rng.uniform(0.5, 6)
        end = (x + rng.uniform(-2, 2), y + length, z + rng.uniform(-2, 2))
        allowed = slab.structures == Structure.CANAL
        radius = min(radius, 1.1)
        grey = levels.either_way(greys.fluid, greys, rng)
    distance = capsule(slab.points(), (x, y, z), end) - radius
    return cover(slab, distance, allowed, grey, 0.8, 0.6)


def facet_fluid(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """A thin crescent of fluid beside the joints."""
    x, y, z = lesion.centre
    radius, half, lean = lesion.radii
    side = rng.choice([-1, 1])
    ends = [(x, y - half, z - side * lean), (x, y + half, z + side * lean)]
    distance = capsule(slab.points(), *ends) - radius
    outside = slab.structures != Structure.CANAL
    return cover(slab, distance, outside, greys.fluid * rng.uniform(0.75, 1.1), 0.8, 0.5)


def herniation(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """A disc that bulges into the canal, as bright as the disc it comes from."""
    depth, width = canal_front(slab)
    reach = sleeve(slab, lesion)
    push_back(slab, depth, width, reach)
    with np.errstate(invalid="ignore"):
        distance = np.where((reach > 0) & (depth > -1.5), depth - np.minimum(reach, 0.75 * width), 99)
    free = (slab.structures == Structure.CANAL) | (slab.structures == 0)
    grey = greys.disc * rng.uniform(0.8, 1.2)
    near = ~clear_of_discs(slab, 9.0)
    return cover(slab, np.nan_to_num(distance, nan=99), free & near, grey, 0.9, 0.7)
