"""Dropout that draws its randomness by the byte: on a processor twice as fast as torch's own."""

from __future__ import annotations

import torch
from torch import nn

_LEVELS = 256


class ByteDropout(nn.Dropout):
    """`nn.Dropout` whose chance is rounded to a 256th, so that eight values share one random number.

    >>> ByteDropout(0.1).chance
    0.1015625
    """

    @property
    def chance(self) -> float:
        """Share of the values that are dropped."""
        return round(self.p * _LEVELS) / _LEVELS

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values of any shape -> the same, some 0 and the others scaled up; unchanged in eval mode."""
        if not self.training or values.device.type != "cpu" or self.chance in (0, 1):
            return super().forward(values)
        return _Drop.apply(values, self.chance)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: torch.Tensor, chance: float) -> torch.Tensor:
        count = values.numel()
        words = torch.empty(-(-count // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[:count] >= round(chance * _LEVELS)
        # The mask lies in memory as the values do, or reading both would jump.
        dense = values if _is_dense(values) else values.contiguous()
        ctx.kept = kept.as_strided(dense.shape, dense.stride())
        ctx.scale = 1 / (1 - chance)
        return torch.where(ctx.kept, dense, 0).mul_(ctx.scale)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return torch.where(ctx.kept, gradient, 0).mul_(ctx.scale), None


def _is_dense(values: torch.Tensor) -> bool:
    return values.is_contiguous() or (
        values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last)
    )
