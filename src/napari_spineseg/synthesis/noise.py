"""Smooth random fields with a physical scale, the raw material of texture, bias and organs."""

from __future__ import annotations

import torch
from torch.nn import functional


def smooth_noise(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    scale_mm: tuple[float, float, float],
    generator: torch.Generator,
) -> torch.Tensor:
    """A Gaussian field that varies over about `scale_mm` along each axis.

    Returns (slices, height, width) float32, mean 0, standard deviation 1. Drawn on a coarse grid
    and interpolated, so its cost hardly depends on the scale.
    """
    coarse = [
        max(2, min(n, round(n * mm / scale))) for n, mm, scale in zip(shape, spacing, scale_mm, strict=True)
    ]
    field = torch.randn((1, 1, *coarse), generator=generator)
    field = functional.interpolate(field, shape, mode="trilinear", align_corners=True)[0, 0]
    return (field - field.mean()) / field.std().clamp_min(1e-6)
