"""Kinds of scan on which the bundled model is weak, made from prepared volumes that have reference labels.

Each is about as hard as a scan that somebody would correct: the model's Dice is between .5 and .8 on it. How
strong each is was chosen for that on training patients, before anything was learnt. (The first `low field`
left the model at a Dice of .09, a wreck that one would segment anew; it was made milder.)

Each takes a volume and a seed and returns another volume: another image, other labels, or both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import ndimage

from napari_spineseg.datasets.prepared import PreparedVolume

VERTEBRA, DISC, CANAL = 1, 2, 3


def thinned(volume: PreparedVolume, slice_mm: float = 3.6) -> PreparedVolume:
    """Every nth slice of a thin-slice volume, as a clinical exam has them."""
    step = max(1, round(slice_mm / volume.slice_mm))
    first = (len(volume.values) - 1) % step // 2
    return replace(
        volume,
        values=volume.values[first::step],
        structures=volume.structures[first::step],
        slice_mm=volume.slice_mm * step,
    )


def low_field(volume: PreparedVolume, seed: int) -> PreparedVolume:
    """Little signal: blurred by 1 mm, flat contrast, coil fall-off, Rician noise."""
    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(_grey(volume), (0, 2, 2))
    flat = 0.325 + 0.35 * blurred
    fall = np.exp(-np.linspace(1.4, 0, volume.values.shape[2], dtype=np.float32))
    real, imaginary = (
        ndimage.gaussian_filter(rng.standard_normal(flat.shape, np.float32), (0, 1, 1)) for _ in range(2)
    )
    scale = 0.035 / real.std()
    return _with_image(volume, np.hypot(flat * fall + scale * real, scale * imaginary))


def motion(volume: PreparedVolume, seed: int) -> PreparedVolume:
    """Somebody who moved along the scanner's axis: smeared by 4 mm from head to feet."""
    return _with_image(volume, ndimage.gaussian_filter(_grey(volume), (0, 8, 1)))


def ghosts(volume: PreparedVolume, seed: int) -> PreparedVolume:
    """Ghosts along the phase direction: the image again at 75 % and 45 %, 22 and 44 mm up and down."""
    grey = _grey(volume)
    image = grey.copy()
    for number, share in ((1, 0.75), (2, 0.45)):
        image += share * (np.roll(grey, 44 * number, 1) + np.roll(grey, -44 * number, 1))
    return _with_image(volume, image)


def narrow_style(volume: PreparedVolume, seed: int) -> PreparedVolume:
    """Another style of labels: bodies without their arches, discs and canal drawn 2 mm inside their edges."""
    structures = _bodies_only(volume)
    for index, slice_ in enumerate(volume.structures):
        for number, mm in ((DISC, 2.0), (CANAL, 2.5)):
            mask = slice_ == number
            edge = ndimage.distance_transform_edt(mask) * volume.spacing_mm < mm
            structures[index][mask & edge] = 0
    return replace(volume, structures=structures)


def masses(volume: PreparedVolume, seed: int) -> PreparedVolume:
    """Forty masses that replace marrow and disc: mottled, darker or brighter than anything near."""
    rng = np.random.default_rng(seed)
    grey = _grey(volume)
    bone = volume.structures == VERTEBRA
    spots = np.argwhere(ndimage.binary_erosion(bone, np.ones((1, 9, 9))))
    near = ndimage.binary_dilation(bone, np.ones((1, 3, 3)), iterations=4)
    spacing = volume.slice_mm, volume.spacing_mm, volume.spacing_mm
    where = [axis * mm for axis, mm in zip(np.indices(bone.shape, np.float32), spacing, strict=True)]
    grain = ndimage.gaussian_filter(rng.standard_normal(grey.shape, np.float32), (0.5, 2.5, 2.5))
    grain /= grain.std()
    for _ in range(40):
        centre = spots[rng.integers(len(spots))] * np.array(spacing)
        away = sum((w - c) ** 2 for w, c in zip(where, centre, strict=True)) < rng.uniform(12, 22) ** 2
        grey = np.where(away & near, rng.choice([0.03, 0.95]) + 0.15 * grain, grey)
    return _with_image(volume, grey)


# Corrected scans.
COUNTS = (0, 1, 2, 4, 8)

KINDS: dict[str, Callable[[PreparedVolume, int], PreparedVolume]] = {
    "low field": low_field,
    "motion": motion,
    "masses": masses,
    "narrow style": narrow_style,
    "ghosts": ghosts,
}


def _bodies_only(volume: PreparedVolume) -> np.ndarray:
    """Structures with of each vertebra only what lies in front of the canal's anterior edge."""
    structures = volume.structures.copy()
    front = (structures == CANAL).any(0)
    edge = np.where(front.any(1), front.argmax(1), -1)
    rows = np.flatnonzero(edge >= 0)
    if len(rows):
        wall = np.interp(np.arange(len(edge)), rows, ndimage.median_filter(edge[rows], 41))
        behind = np.arange(structures.shape[2])[None, :] > wall[:, None] + 2 / volume.spacing_mm
        structures[(structures == VERTEBRA) & behind[None]] = 0
    return structures


def _grey(volume: PreparedVolume) -> np.ndarray:
    return volume.values.astype(np.float32) / 255


def _with_image(volume: PreparedVolume, image: np.ndarray) -> PreparedVolume:
    low, high = image.min(), image.max()
    return replace(volume, values=((image - low) / (high - low) * 255).astype(np.uint8))
