"""How bright a patch is: as it would be if the whole slice had been standardised, as inference does."""

from __future__ import annotations

import torch

from napari_spineseg.core.inputs import slice_statistics


def bright_at_one(images: torch.Tensor) -> torch.Tensor:
    """Scaled so that a patch's bright tissue is 1: noise is drawn relative to that."""
    top = torch.quantile(images[:, images.shape[1] // 2, ::3, ::3].flatten(1), 0.97, dim=1)
    return images / top.clamp_min(0.05)[:, None, None, None]


def tones_of(part: torch.Tensor, whole: torch.Tensor) -> tuple[float, ...]:
    """Mean and deviation of the patch's middle slice, then those that inference would take."""
    middle = part[len(part) // 2]
    _, _, mean, deviation = slice_statistics(whole)
    return float(middle.mean()), max(float(middle.std()), 0.02), mean, max(deviation, 0.02)


def as_whole_slice(images: torch.Tensor, tones: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Standardise patches as if the whole slice had been: inference knows whole slices.

    Each patch is standardised by itself, then moved to where its mean and deviation lie among
    those of its slice (`tones`: (n, 4), patch mean and deviation, slice mean and deviation), and a
    little off.
    """
    middle = images[:, images.shape[1] // 2 : images.shape[1] // 2 + 1]
    mean, deviation = middle.mean((2, 3), keepdim=True), middle.std((2, 3), keepdim=True).clamp_min(1e-3)
    own_mean, own_deviation, slice_mean, slice_deviation = (t[:, None, None, None] for t in tones.float().T)
    count = len(images)
    shift = 0.12 * torch.randn(count, 1, 1, 1, generator=generator)
    gain = torch.exp(0.12 * torch.randn(count, 1, 1, 1, generator=generator))
    gain = gain * (own_deviation / slice_deviation).clamp(0.3, 3)
    shift = shift + ((own_mean - slice_mean) / slice_deviation).clamp(-2.5, 2.5)
    return ((images - mean) / deviation * gain + shift).clamp(-5, 8)
