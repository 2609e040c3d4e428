"""How each kind of tumour is painted. Every function changes the slab's image and returns its mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis import lesion_greys as levels
from napari_spineseg.synthesis.lesion_brush import (
    Outline,
    canal_front,
    clear_of_discs,
    cover,
    distance_to,
    main_piece,
    mottled,
    push_around,
    push_back,
    sleeve,
)
from napari_spineseg.synthesis.lesion_greys import Greys
from napari_spineseg.synthesis.lesion_shapes import waves
from napari_spineseg.synthesis.lesion_sites import Slab

_INTACT_SHARE = 0.35
_DISC_CLEAR_MM = 0.6
_HOST_MM = 5.0
_GAP_MM = 2.5


@dataclass(frozen=True)
class _Ball:
    """A part of a lesion."""

    form: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    seed: int


def metastasis(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """In bone: some stay inside their cortex, most eat through it; the discs are respected."""
    distance = distance_to(slab, lesion)
    allowed = _reachable(slab, rng)
    # What lies beyond a disc is another vertebra.
    allowed &= main_piece((distance < 0) & allowed)
    greys = _beside(slab, greys, distance)
    grey = mottled(slab, lesion, distance, levels.in_bone(greys, rng), rng)
    if greys.sequence in ("T2", "STIR", "T1", "Gd T1") and rng.random() < 0.15:
        _oedema(slab, distance, grey, rng)
    return cover(slab, distance, allowed, grey, rng.uniform(0.8, 2.0), rng.uniform(0.3, 1.0))


def honeycomb(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """In the posterior elements, coarse like a honeycomb: the kind that is kept back from training."""
    distance = distance_to(slab, lesion)
    allowed = (slab.structures != Structure.CANAL) & clear_of_discs(slab, _DISC_CLEAR_MM)
    greys = _beside(slab, greys, distance)
    texture = np.abs(waves(slab.points(), 4.0, lesion.seed)) - 0.8
    grey = levels.in_bone(greys, rng) * (1 + 0.3 * texture)
    return cover(slab, distance, allowed, grey, rng.uniform(0.8, 2.0), 0.6)


def intradural(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """Round, in the sac; cord and roots go around it."""
    distance = distance_to(slab, lesion)
    canal = slab.structures == Structure.CANAL
    push_around(slab, lesion, distance, rng.uniform(4, 8))
    greys = _beside(slab, greys, distance)
    grey = mottled(slab, lesion, distance, levels.in_fluid(greys, rng), rng)
    return cover(slab, distance, canal, grey, rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.8))


def epidural(slab: Slab, lesion: Outline, greys: Greys, rng: np.random.Generator) -> np.ndarray:
    """From the back of a body into the canal, under the posterior ligament; the sac is pushed back."""
    depth, width = canal_front(slab)
    reach = sleeve(slab, lesion)
    push_back(slab, depth, width, reach)
    canal = slab.structures == Structure.CANAL
    bone_part = _Ball(
        lesion.form,
        (lesion.centre[0], lesion.centre[1], lesion.centre[2] - rng.uniform(2, 7)),
        (lesion.radii[0], min(lesion.radii[1] * 0.8, 11.0), rng.uniform(5, 11)),
        lesion.seed,
    )
    from_bone = distance_to(slab, bone_part)
    allowed = _reachable(slab, rng, intact_share=0.0)
    allowed &= main_piece((from_bone < 0) & allowed)
    in_bone = np.where(allowed, from_bone, 99)
    clear = clear_of_discs(slab, _DISC_CLEAR_MM)
    with np.errstate(invalid="ignore"):
        in_canal = np.where((reach > 1.5) & (depth > -reach), depth - np.minimum(reach, 0.75 * width), 99)
    in_canal = np.where((canal | (slab.structures == 0)) & clear, np.nan_to_num(in_canal, nan=99), 99)
    distance = _without_gaps(slab, np.minimum(in_bone, in_canal), clear)
    greys = _beside(slab, greys, distance)
    base = levels.in_bone(greys, rng)
    if abs(base - greys.fluid) < greys.least * greys.top:
        base = greys.fluid + np.sign(base - greys.marrow) * 1.2 * greys.least * greys.top
        base = max(base, 0.02)
    grey = mottled(slab, bone_part, distance, float(base), rng)
    return cover(slab, distance, distance < 50, grey, rng.uniform(0.7, 1.4), rng.uniform(0.3, 0.8))


def _reachable(slab: Slab, rng: np.random.Generator, intact_share: float = _INTACT_SHARE) -> np.ndarray:
    """Where a tumour that began in bone may be."""
    bone = slab.structures == Structure.VERTEBRA
    clear = clear_of_discs(slab, _DISC_CLEAR_MM)
    if rng.random() < intact_share:
        return (slab.distance(bone) > 0.8) & clear
    beyond = slab.distance(~bone) < rng.uniform(1.2, 7)
    return (bone | (beyond & (slab.structures == 0))) & clear


def _beside(slab: Slab, greys: Greys, distance: np.ndarray) -> Greys:
    """Greys of what the lesion lies in and beside."""
    near = distance < _HOST_MM
    bone, canal = (slab.structures == kind for kind in (Structure.VERTEBRA, Structure.CANAL))
    return greys.beside(slab.image, bone & near, canal & near)


def _without_gaps(slab: Slab, distance: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """The strip of ligament between body and canal is eaten too: one tumour, not two halves."""
    reach = max(1, round(_GAP_MM / 2 / slab.pixel_mm))
    inside = distance < 0
    closed = ndimage.binary_closing(inside, np.ones((1, 3, 3), bool), iterations=reach)
    return np.where(closed & allowed & ~inside, -0.5, distance)


def _oedema(slab: Slab, distance: np.ndarray, grey: np.ndarray, rng: np.random.Generator) -> None:
    """A faint halo in the marrow, not part of the tumour."""
    bone = slab.structures == Structure.VERTEBRA
    halo = np.exp(-np.clip(distance, 0, None) / rng.uniform(2, 5)) * bone * np.float32(rng.uniform(0.1, 0.3))
    slab.image[...] += halo * (grey - slab.image)
