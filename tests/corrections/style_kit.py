"""Sagittal spines as sets of labels, and a style that they can be drawn in."""

from __future__ import annotations

import numpy as np

SPACING = (4.0, 2.0, 2.0)
VERTEBRA, DISC, CANAL = 1, 2, 3


def spine_at(left: int, bottom: int) -> np.ndarray:
    """Levels, (9, 80, 56) uint16: four vertebrae with arches, the discs below them, a canal."""
    levels = np.zeros((9, 80, 56), np.uint16)
    slices = slice(1, 8)
    levels[slices, 4:76, left + 16 : left + 21] = 100
    for number in range(4):
        foot = bottom - 17 * number
        levels[slices, foot - 5 : foot, left : left + 15] = 201 + number
        levels[slices, foot - 17 : foot - 5, left : left + 15] = 1 + number
        # An arch behind the canal, in the middle slices, so that slices differ from each other.
        levels[3:6, foot - 12 : foot - 8, left + 22 : left + 28] = 1 + number
    return levels


def spine(seed: int) -> np.ndarray:
    """A spine somewhere in the picture."""
    rng = np.random.default_rng(seed)
    return spine_at(int(rng.integers(8, 14)), int(rng.integers(70, 78)))


def narrow(levels: np.ndarray) -> np.ndarray:
    """Discs a row thinner on either side, and no arches."""
    out = levels.copy()
    discs = (levels > 200) & (levels < 300)
    inner = discs & np.roll(discs, 1, 1) & np.roll(discs, -1, 1)
    out[discs & ~inner] = 0
    canal = (levels == 100).any((0, 1))
    out[..., np.flatnonzero(canal)[-1] + 1 :] = 0
    return out
