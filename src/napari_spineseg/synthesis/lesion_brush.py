"""What every lesion is painted with: soft cover, texture, and pushing aside what is in the way.

All functions work on a small slab (the window of one lesion) and change its image in place.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis.lesion_shapes import Form, signed_distance, waves
from napari_spineseg.synthesis.lesion_sites import Slab


class Outline(Protocol):
    """The part of a lesion that decides where it is."""

    form: Form
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    seed: int


def distance_to(slab: Slab, lesion: Outline) -> np.ndarray:
    """Signed mm to the lesion's outline, (slices, height, width)."""
    return signed_distance(lesion.form, lesion.centre, lesion.radii, lesion.seed, slab.points())


def clear_of_discs(slab: Slab, mm: float) -> np.ndarray:
    """Where no disc is within `mm`: discs resist tumours for long."""
    disc = slab.structures == Structure.DISC
    if not disc.any():
        return ~disc
    if mm > 2 * slab.pixel_mm:
        return slab.distance(~disc) > mm
    # As near as this, growing the disc is as good as measuring, and several times as fast.
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return ~ndimage.binary_dilation(disc, cross, iterations=max(1, int(mm / slab.pixel_mm)))


def main_piece(inside: np.ndarray, spill_px: int = 2) -> np.ndarray:
    """The largest connected piece of a mask and `spill_px` around it, bool: where its soft edge may be."""
    pieces, count = ndimage.label(inside, np.ones((3, 3, 3)))
    if count < 2:
        return np.ones_like(inside)
    largest = pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
    return ndimage.binary_dilation(largest, np.ones((1, 3, 3), bool), iterations=spill_px)


def cover(
    slab: Slab,
    distance: np.ndarray,
    allowed: np.ndarray,
    grey: np.ndarray | float,
    soft_mm: float,
    grain: float,
    strength: float = 1.0,
) -> np.ndarray:
    """Paint the inside of `distance` where `allowed`; returns where it covers at least half, bool.

    `grain` is how much of the fine texture that was there stays: a patch without any would tell
    that it was painted.
    """
    alpha = np.clip(0.5 - distance / np.float32(soft_mm), 0, 1) * allowed
    sigma = 0.6 / slab.pixel_mm
    alpha = ndimage.gaussian_filter(alpha.astype(np.float32), (0, 0.5 * sigma, 0.5 * sigma))
    wide = 2.5 * sigma
    fine = slab.image - ndimage.gaussian_filter(slab.image, (0, wide, wide))
    # Across a border the difference is the border itself, not grain.
    limit = 2 * float(np.median(np.abs(fine))) + 1e-4
    fine = np.clip(fine, -limit, limit)
    alpha *= np.float32(strength)
    slab.image[...] = np.maximum(slab.image * (1 - alpha) + (grey + np.float32(grain) * fine) * alpha, 0)
    return alpha > 0.5 * strength


def mottled(
    slab: Slab, lesion: Outline, distance: np.ndarray, base: float, rng: np.random.Generator
) -> np.ndarray:
    """Brightness of a tumour: even or mottled, sometimes with a bright or dark rim or a dead core."""
    grey = np.full(distance.shape, base, np.float32)
    depth = rng.uniform(0.0, 0.14)
    grey *= 1 + np.float32(depth) * waves(slab.points(), rng.uniform(3.5, 9), lesion.seed)
    size = float(np.prod(lesion.radii)) ** (1 / 3)
    what = rng.random()
    if what < 0.2:
        width = rng.uniform(1.0, 2.0)
        grey *= 1 + np.float32(rng.choice([-0.15, 0.25])) * np.exp(-((distance / width) ** 2))
    elif what < 0.35 and size > 5:
        core = np.clip(-distance / size - 0.35, 0, 0.3) / 0.3
        grey *= 1 + np.float32(rng.choice([-0.35, 0.3])) * core
    return grey


def canal_front(slab: Slab) -> tuple[np.ndarray, np.ndarray]:
    """mm from the front of the canal to each voxel, and the canal's depth there; NaN without a canal.

    (slices, height, width) and (slices, height, 1).
    """
    canal = slab.structures == Structure.CANAL
    there = canal.any(2)
    width = canal.shape[2]
    first = np.where(there, canal.argmax(2), np.nan)
    last = np.where(there, width - canal[..., ::-1].argmax(2), np.nan)
    first, last = _steadied(first, 1.5 / slab.pixel_mm), _steadied(last, 1.5 / slab.pixel_mm)
    columns = np.arange(width, dtype=np.float32)
    depth = (columns[None, None] - first[..., None] + 0.5) * slab.pixel_mm
    return depth.astype(np.float32), ((last - first) * slab.pixel_mm)[..., None].astype(np.float32)


def _steadied(curve: np.ndarray, sigma: float) -> np.ndarray:
    """(slices, height) with NaN where unknown, smoothed along the rows."""
    known = np.isfinite(curve)
    weight = ndimage.gaussian_filter1d(known.astype(np.float64), sigma, axis=1)
    value = ndimage.gaussian_filter1d(np.where(known, curve, 0.0), sigma, axis=1)
    return np.where(known, value / np.maximum(weight, 1e-6), np.nan)


def sleeve(slab: Slab, lesion: Outline) -> np.ndarray:
    """How far a swelling from the front reaches into the canal, mm, (slices, height, 1); 0 where not.

    `radii` are half width, half height and depth.
    """
    x, y, _ = slab.points()
    squared = ((x - lesion.centre[0]) / lesion.radii[0]) ** 2 + (
        (y - lesion.centre[1]) / lesion.radii[1]
    ) ** 2
    return np.float32(lesion.radii[2]) * np.sqrt(np.clip(1 - squared, 0, 1))


def push_back(slab: Slab, depth: np.ndarray, width: np.ndarray, reach: np.ndarray) -> None:
    """Squeeze what is in the canal into what a swelling of depth `reach` leaves of it."""
    canal = slab.structures == Structure.CANAL
    reach = np.minimum(reach, 0.75 * width)
    with np.errstate(invalid="ignore"):
        source = width * (depth - reach) / np.maximum(width - reach, 0.5)
        shift = np.where(canal & (depth > reach) & (reach > 0), depth - source, 0)
    _pull(slab, np.zeros_like(shift), np.nan_to_num(shift))


def push_around(slab: Slab, lesion: Outline, distance: np.ndarray, reach_mm: float) -> None:
    """Push what is in the canal away from a mass, most at its surface, none `reach_mm` off it."""
    canal = slab.structures == Structure.CANAL
    _, y, z = slab.points()
    down, back = y - lesion.centre[1], z - lesion.centre[2]
    away = np.sqrt(down**2 + back**2) + 1e-3
    inner = np.clip(away - distance, 0, None)
    amount = np.where(canal & (distance > 0), inner * np.clip(1 - distance / reach_mm, 0, 1), 0)
    amount = np.minimum(amount, away)
    _pull(slab, amount * down / away, amount * back / away)


def _pull(slab: Slab, down: np.ndarray, back: np.ndarray) -> None:
    """Every voxel takes the value that lies (down, back) mm above and before it."""
    rows, columns = np.meshgrid(*(np.arange(n) for n in slab.image.shape[1:]), indexing="ij")
    for k, slice_ in enumerate(slab.image):
        moved = (down[k] != 0) | (back[k] != 0)
        if moved.any():
            at = (
                rows[moved] - down[k][moved] / slab.pixel_mm,
                columns[moved] - back[k][moved] / slab.pixel_mm,
            )
            slab.image[k][moved] = ndimage.map_coordinates(slice_, at, order=1, mode="nearest")
