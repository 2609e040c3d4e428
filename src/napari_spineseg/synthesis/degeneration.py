"""Wear painted on slices: discs as dark as their endplates, a canal without fluid, changed endplates.

Where grey no longer tells a structure from its surroundings, what is left is shape and place. Painted
images get such discs from `contrast.degenerate`; this does it to real texture.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.appearance import soften

_ENDPLATE_PX = 5
_RING_PX = 8
_TAPER_PX = 12
_LEFT_OF_TEXTURE = (0.1, 0.4)


def darken_discs(image: torch.Tensor, structures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Make discs, and what lies between them and the bodies, one dark band.

    image: (channels, H, W) in 0..1; structures: (channels, H, W), `Structure`, of the same pixels, 0.5 mm
    each. Slices without a disc or without a gap to the bodies stay as they are.
    """
    disc = structures == Structure.DISC
    gap = _widened(disc, (_ENDPLATE_PX, 0)) & (structures == Structure.BACKGROUND)
    if not bool(disc.any()) or not bool(gap.any()):
        return image
    depth, brightness, texture = torch.rand(3, generator=generator).tolist()
    level = _quantile(image[gap], 0.05 + 0.3 * depth) * (0.8 + 0.6 * brightness)
    return _levelled(image, (disc | gap).float(), disc, level, texture)


def narrow_canal(image: torch.Tensor, structures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Take the bright fluid from one to three stretches of the canal, 10 to 50 mm long each.

    image: (channels, H, W) in 0..1; structures: (channels, H, W), `Structure`, of the same pixels, 0.5 mm
    each. What is left is as bright as something beside the canal. Slices without canal stay as they are.
    """
    canal = structures == Structure.CANAL
    ring = _widened(canal, (_RING_PX, _RING_PX)) & (structures == Structure.BACKGROUND)
    rows = canal.any(0).any(1).nonzero()[:, 0]
    if not len(rows) or not bool(ring.any()):
        return image
    count, brightness, texture = torch.rand(3, generator=generator).tolist()
    level = _quantile(image[ring], 0.1 + 0.6 * brightness)
    distance = torch.full((canal.shape[1],), torch.inf)
    for _ in range(1 + int(3 * count)):
        middle = rows[torch.randint(len(rows), (1,), generator=generator)]
        half = torch.randint(10, 51, (1,), generator=generator)
        distance = torch.minimum(distance, (torch.arange(len(distance)) - middle).abs() - half)
    narrow = (1 - distance / _TAPER_PX).clamp(0, 1)
    return _levelled(image, _widened(canal, (1, 1)) * narrow[:, None], canal, level, texture)


def change_endplates(
    image: torch.Tensor, structures: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Brighten or darken marrow along the discs, 2 to 9 mm deep, as Modic changes do.

    image: (channels, H, W) in 0..1; structures: (channels, H, W), `Structure`, of the same pixels, 0.5 mm
    each. Which stretches of which endplates is drawn at random.
    """
    deep, gain = torch.rand(2, generator=generator).tolist()
    depth = _ENDPLATE_PX + 4 + int(14 * deep)
    marrow = (structures == Structure.VERTEBRA) & _widened(structures == Structure.DISC, (depth, 0))
    patches = functional.interpolate(
        torch.randn(1, 1, 8, 6, generator=generator), image.shape[1:], mode="bilinear"
    )[0]
    share = soften(soften(marrow * (patches > 0.3).float()))
    return image * (1 + share * (math.exp(1.6 * (gain - 0.5)) - 1))


def _levelled(
    image: torch.Tensor, where: torch.Tensor, inside: torch.Tensor, level: float, texture: float
) -> torch.Tensor:
    """`image` brought to `level` by the share `where`, with a little of its texture, and soft edges."""
    low, high = _LEFT_OF_TEXTURE
    flat = level + (low + (high - low) * texture) * (image - image[inside].mean())
    share = soften(soften(where))
    return (image + share * (flat - image)).clamp_min_(0)


def _widened(mask: torch.Tensor, reach: tuple[int, int]) -> torch.Tensor:
    """(channels, H, W) bool, grown by `reach` rows and columns."""
    for axis, pixels in zip((-2, -1), reach, strict=True):
        mask = _grown(mask, axis, pixels)
    return mask


def _grown(mask: torch.Tensor, axis: int, pixels: int) -> torch.Tensor:
    """`mask` or any of its copies shifted by up to `pixels` along `axis`."""
    length = mask.shape[axis]
    edge = mask.new_zeros(*(pixels if a == mask.ndim + axis else n for a, n in enumerate(mask.shape)))
    mask, covered = torch.cat([edge, mask, edge], axis), 1
    # What covers n shifts, and itself shifted by n, covers 2 n.
    while covered < 2 * pixels + 1:
        step = min(covered, 2 * pixels + 1 - covered)
        n = mask.shape[axis] - step
        mask = mask.narrow(axis, 0, n) | mask.narrow(axis, step, n)
        covered += step
    return mask.narrow(axis, 0, length)


def _quantile(values: torch.Tensor, share: float) -> float:
    """A quantile; of every so manieth value where there are many."""
    return float(torch.quantile(values[:: max(1, len(values) // 4096)], share))
