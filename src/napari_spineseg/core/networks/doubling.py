"""The learnt upsampling of a U-Net, quick to train on a processor too."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Doubling(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d(before, after, 2, 2)`: twice the height and width.

    Its windows do not overlap, so that it is a product of matrices and a rearrangement. Trained as such on
    a processor it takes a third of the time: what is slow is oneDNN's way back through a transposed
    convolution. Engines pack it (`packed.py`), or leave it to oneDNN, which is quicker forward.

    Shapes
    ------
    features: (batch, before, H, W) -> (batch, after, 2 H, 2 W)
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 2, 2)

    def forward(self, features: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        """Features at twice the size."""
        if features.device.type != "cpu" or not (torch.is_grad_enabled() and self.training):
            return super().forward(features, output_size)
        batch, before, height, width = features.shape
        # weight: (before, after, 2, 2) -> rows by (y, x, after)
        weight = self.weight.permute(2, 3, 1, 0).reshape(-1, before)
        bias = None if self.bias is None else self.bias.repeat(4)
        pixels = functional.linear(features.permute(0, 2, 3, 1), weight, bias)
        rows = pixels.view(batch, height, width, 2, -1).transpose(2, 3)
        return rows.reshape(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)
