"""How a scan becomes network input: one resampling, one normalisation, neighbours as channels.

Training and inference call the same functions, so that a network never meets an image that was
prepared in another way than those it learnt from. Arrays are in sagittal orientation:
`volume: (slices, height, width)`, rows downward, columns to the back.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

# Statistics are read off every nth row and column: they move by less than the noise does.
_STATISTICS_STEP = 3


class InputSpec(BaseModel):
    """What a network expects to be fed. Part of its card.

    `size_px` is for networks that were trained on slices squeezed to one size (the published
    U-Net); all others work at a physical `spacing_mm`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    spacing_mm: float = Field(0.5, gt=0, title="In-plane spacing (mm)")
    size_px: tuple[int, int] | None = Field(None, title="Fixed height and width (pixels)")
    neighbours: int = Field(1, ge=0, le=4, title="Neighbouring slices to each side")
    neighbour_mm: float = Field(4.0, gt=0, title="Distance between neighbours (mm)")
    stride: int = Field(32, ge=1, title="Height and width are padded to multiples of this")
    normalise: Literal["zscore", "minmax"] = "zscore"

    @property
    def channels(self) -> int:
        """Input channels of the network."""
        return 2 * self.neighbours + 1

    def working_size(self, height: int, width: int, spacing: tuple[float, float]) -> tuple[int, int]:
        """(height, width) in pixels of a slice on the network's grid, before padding."""
        if self.size_px is not None:
            return self.size_px
        return tuple(
            max(1, round(n * mm / self.spacing_mm)) for n, mm in zip((height, width), spacing, strict=True)
        )

    def pixels_of(self, mm: float, shrink: int = 1) -> int:
        """Pixels that a crop of about `mm` has on the network's grid: a multiple of the stride, one at least.

        `shrink` divides it, where memory is short.

        >>> InputSpec(spacing_mm=0.5, stride=32).pixels_of(100.0)
        192
        """
        return max(1, round(mm / self.spacing_mm / shrink / self.stride)) * self.stride


def resample_slices(volume: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resize each slice, (slices, h, w) float -> (slices, *size), field of view kept.

    Bilinear; averaging where the grid gets coarser, so that fine texture does not alias.
    """
    if volume.shape[1:] == torch.Size(size):
        return volume
    coarser = size[0] < 0.9 * volume.shape[1] or size[1] < 0.9 * volume.shape[2]
    return functional.interpolate(
        volume[:, None], size, mode="bilinear", align_corners=False, antialias=coarser
    )[:, 0]


def normalise(volume: torch.Tensor, how: Literal["zscore", "minmax"]) -> torch.Tensor:
    """Bring each slice to a common range, (slices, h, w) float32 -> float32.

    `zscore`: clipped to its 0.5 and 99.5 percentiles, mean 0, standard deviation 1; scanners
    that window each slice on its own look the same as those that do not. `minmax`: 0 to 1 over
    the slice, as Ahmed et al. prepared theirs. A constant slice becomes 0.
    """
    if how == "minmax":
        low = volume.amin((1, 2), keepdim=True)
        high = volume.amax((1, 2), keepdim=True)
        return (volume - low) / (high - low).clamp_min(1e-6)
    out = torch.empty_like(volume)
    for source, target in zip(volume, out, strict=True):
        low, high, mean, spread = slice_statistics(source)
        torch.clamp(source, low, high, out=target).sub_(mean).div_(spread)
    return out


def slice_statistics(slice_: torch.Tensor) -> tuple[float, float, float, float]:
    """0.5 and 99.5 percentile, and mean and standard deviation between them, of an (h, w) slice.

    Read off every third row and column. Pixels at the slice's minimum are left out: a volume
    that was turned or resampled is padded with them, and they say nothing about tissue.
    """
    values = slice_[::_STATISTICS_STEP, ::_STATISTICS_STEP].flatten()
    inside = values[values > values.min()]
    # A slice of two values has no tissue apart from its padding: then all of it counts.
    if len(inside) < 2 or inside.min() == inside.max():
        inside = values
    ordered = inside.sort().values
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.005, 0.995))
    clipped = ordered.clamp(low, high)
    return float(low), float(high), float(clipped.mean()), max(float(clipped.std(correction=0)), 1e-6)


def neighbour_indices(index: int, slices: int, slice_mm: float, spec: InputSpec) -> list[int]:
    """Slices that enter the network with slice `index`, left to right, clamped at the ends.

    Neighbours are about `neighbour_mm` apart, and at least one slice: the next slice of a 4 mm
    exam, the fourth next of a 1 mm volume.
    """
    step = max(1, round(spec.neighbour_mm / slice_mm))
    reach = range(-spec.neighbours, spec.neighbours + 1)
    return [min(max(index + step * k, 0), slices - 1) for k in reach]


def network_input(values: np.ndarray, index: int, slice_mm: float, spec: InputSpec) -> torch.Tensor:
    """Input for one slice of a volume that is on the network's grid already.

    values: (slices, h, w) of any real dtype -> (1, channels, H, W) float32, padded to the stride.
    """
    slices = neighbour_indices(index, len(values), slice_mm, spec)
    image = normalise(torch.from_numpy(values[slices]).float(), spec.normalise)
    return pad_to_stride(image, spec.stride)[None]


def pad_to_stride(slices: torch.Tensor, stride: int) -> torch.Tensor:
    """Pad (..., h, w) at the bottom and right with each slice's smallest value."""
    height, width = slices.shape[-2:]
    padded_height, padded_width = -(-height // stride) * stride, -(-width // stride) * stride
    if (padded_height, padded_width) == (height, width):
        return slices
    out = slices.amin((-2, -1), keepdim=True).expand(*slices.shape[:-2], padded_height, padded_width).clone()
    out[..., :height, :width] = slices
    return out
