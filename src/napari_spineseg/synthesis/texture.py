"""Texture borrowed from real slices: what painted greys lack."""

from __future__ import annotations

import torch
from torch.nn import functional

_COARSEST_PX = 8
_GREYEST = 0.05


def lend_texture(painted: torch.Tensor, real: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Give painted greys the fine detail of a real slice, relative to how bright that is.

    painted: (channels, H, W); real: (1, H, W) in 0..1, of another place or patient: its edges are not
    where the painted ones are, so details above 4 mm (at 0.5 mm pixels) are left out. Neighbouring
    slices get the same detail, each displaced.
    """
    mean = functional.avg_pool2d(real[None], _COARSEST_PX, ceil_mode=True, count_include_pad=False)
    mean = functional.interpolate(mean, real.shape[1:], mode="bilinear")[0]
    # Edges are the largest of the details, and are cut down to what texture is.
    detail = ((real - mean) / mean.clamp_min(_GREYEST)).clamp(-0.4, 0.4)
    strength = float(torch.rand(1, generator=generator))
    shifted = torch.cat([detail.roll((23 * k, 31 * k), (1, 2)) for k in range(len(painted))])
    return (painted * (1 + strength * shifted)).clamp_min_(0)
