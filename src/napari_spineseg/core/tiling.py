"""Slices that are too large for one pass: overlapping tiles, blended with a Gaussian.

A slice that fits is one tile and costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

OVERLAP = 0.25
"""Least share of a tile that it has in common with the next one."""


@dataclass(frozen=True)
class Tile:
    """A window of a slice: rows and columns, in pixels of the network's grid."""

    rows: slice
    columns: slice


def starts(size: int, tile: int, stride: int) -> list[int]:
    """Where tiles of `tile` pixels begin, so that they cover `size` with at least `OVERLAP`.

    Starts are multiples of `stride`, so that the network's poolings fall on the same pixels as
    without tiling. `size` and `tile` are multiples of `stride` too.

    >>> starts(96, 128, 32), starts(256, 128, 32)
    ([0], [0, 64, 128])
    """
    if size <= tile:
        return [0]
    step = max(stride, int(tile * (1 - OVERLAP)) // stride * stride)
    count = -(-(size - tile) // step) + 1
    return [round((size - tile) * k / (count - 1) / stride) * stride for k in range(count)]


def tiles_of(height: int, width: int, tile: int, stride: int) -> list[Tile]:
    """Tiles that cover a (height, width) slice, row by row. One, if it fits."""
    tile = max(stride, tile // stride * stride)
    return [
        Tile(slice(top, min(top + tile, height)), slice(left, min(left + tile, width)))
        for top in starts(height, tile, stride)
        for left in starts(width, tile, stride)
    ]


@lru_cache(maxsize=8)
def gaussian(height: int, width: int, device: torch.device) -> torch.Tensor:
    """(height, width) weights of a tile: 1 in the middle, small but never 0 at the rim."""

    def profile(size: int) -> torch.Tensor:
        at = (torch.arange(size, device=device) - (size - 1) / 2) / (size / 5)
        return torch.exp(-0.5 * at**2)

    return (profile(height)[:, None] * profile(width)[None]).clamp_min(1e-3)


def run_tiled(
    run: Callable[[torch.Tensor], torch.Tensor],
    images: torch.Tensor,
    tiles: list[Tile],
    on_tile: Callable[[], None],
) -> torch.Tensor:
    """Run `run` on each tile of `images` and blend what comes out.

    Parameters
    ----------
    run
        (n, channels, h, w) -> (n, classes, h, w), float32.
    images
        (n, channels, H, W).
    on_tile
        Called after each tile.
    """
    if len(tiles) == 1:
        out = run(images)
        on_tile()
        return out
    blended = weights = None
    for tile in tiles:
        part = run(images[:, :, tile.rows, tile.columns])
        if blended is None or weights is None:
            blended = part.new_zeros(*part.shape[:2], *images.shape[2:])
            weights = part.new_zeros(images.shape[2:])
        weight = gaussian(*part.shape[2:], part.device)
        blended[:, :, tile.rows, tile.columns] += part * weight
        weights[tile.rows, tile.columns] += weight
        on_tile()
    return blended.div_(weights)
