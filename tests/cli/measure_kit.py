"""A spine of blocks, for tests of what becomes of measurements: small, and known to the millimetre."""

from __future__ import annotations

import numpy as np

from napari_spineseg.grid import sagittal_affine
from napari_spineseg.scan import Scan, Segmentation

SPACING = (4.0, 2.0, 1.0)


def block_spine(lean: int = 0, spacing: tuple[float, float, float] = SPACING) -> Segmentation:
    """L5, L4 and L3 of 24 x 32 mm, discs of 8 mm between and below them, and a canal of 16 mm behind.

    Parameters
    ----------
    lean
        How many slices it moves to the right on its way down.
    """
    labels = np.zeros((9 + abs(lean), 70, 80), np.uint16)
    for number in range(3):  # L5 at the bottom
        top = 6 + (2 - number) * 16
        labels[2:7, top : top + 12, 20:52] = number + 1
        labels[2:7, top + 12 : top + 16, 20:52] = 201 + number
    labels[3:6, 4:60, 54:70] = 100
    for row in range(labels.shape[1]):
        labels[:, row] = np.roll(labels[:, row], round(lean * row / labels.shape[1]), axis=0)
    return Segmentation(labels, sagittal_affine(spacing), "blocks_seg")


def scan_of(segmentation: Segmentation, name: str = "blocks") -> Scan:
    """Noise, brighter where something is labelled."""
    noise = np.random.default_rng(1).normal(100, 5, segmentation.labels.shape)
    voxels = (noise + 80 * (segmentation.labels > 0)).astype(np.int16)
    return Scan(voxels, segmentation.affine, name)
