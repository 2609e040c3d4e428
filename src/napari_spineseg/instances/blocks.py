"""A coarser copy to think on: blocks of voxels with how much of each structure they hold.

Where a vertebra ends is decided on blocks of about a millimetre and painted on the voxels; that is
several times faster than thinking on voxels, and loses nothing, since only painted voxels are labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import Structure

_BLOCK = 1.25


@dataclass(frozen=True, eq=False)
class Blocks:
    """Voxels of each structure a block.

    Attributes
    ----------
    bone, disc, canal
        (slices, rows, columns) uint8 counts of voxels, on the blocks' grid.
    factors
        Voxels a block along each axis.
    spacing
        Of the blocks, mm.
    """

    bone: np.ndarray
    disc: np.ndarray
    canal: np.ndarray
    factors: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(np.prod(self.spacing)) / np.prod(self.factors) / 1000.0

    @property
    def full(self) -> int:
        """Voxels in a full block."""
        return int(np.prod(self.factors))

    def spread(self, labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Block labels on voxels of an array of `shape`."""
        for axis, factor in enumerate(self.factors):
            if factor > 1:
                labels = np.repeat(labels, factor, axis)
        return labels[tuple(slice(n) for n in shape)]


def to_blocks(structures: np.ndarray, spacing: tuple[float, float, float]) -> Blocks:
    """Count the structures of a (slices, rows, columns) array in blocks of at most 1.25 mm."""
    factors = tuple(max(1, min(6, int(_BLOCK / step))) for step in spacing)
    counts = [
        _count(structures == kind, factors) for kind in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)
    ]
    return Blocks(*counts, factors, tuple(f * s for f, s in zip(factors, spacing, strict=True)))


def _count(mask: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Set voxels of each block, uint8."""
    counts = mask.view(np.uint8)
    for axis, factor in enumerate(factors):
        if factor > 1:
            counts = _sum_every(counts, axis, factor, -(-counts.shape[axis] // factor))
    return counts


def _sum_every(counts: np.ndarray, axis: int, factor: int, size: int) -> np.ndarray:
    """Sum of runs of `factor` along an axis; the last run may be short."""
    shape = list(counts.shape)
    shape[axis] = size
    out = np.zeros(shape, np.uint8)
    for start in range(factor):
        part = counts[tuple(slice(start, None, factor) if k == axis else slice(None) for k in range(3))]
        out[tuple(slice(part.shape[axis]) if k == axis else slice(None) for k in range(3))] += part
    return out
