"""Convolutions that do what follows them, with weights laid out once as the processor wants them.

A ReLU of its own reads and writes every value once more, and oneDNN would bring the weights into its own
order at every call. Both are what torch's compiler does to a network; here it costs no compiling. On a
processor with AMX a pass of SpineNet takes a fifth less.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.utils import skip_init

_CONVOLUTIONS, _ACTIVATIONS = (nn.Conv2d, nn.Conv3d), (nn.ReLU, nn.LeakyReLU)


class FusedConvolution(nn.Module):
    """A convolution and the (leaky) ReLU behind it, on a processor; for inference alone.

    Shapes
    ------
    x: (batch, in_channels, H, W), or (batch, in_channels, D, H, W) where the convolution is 3D
    """

    def __init__(self, convolution: nn.Conv2d | nn.Conv3d, activation: nn.ReLU | nn.LeakyReLU) -> None:
        super().__init__()
        leaky = isinstance(activation, nn.LeakyReLU)
        self._then = ("leaky_relu", [activation.negative_slope]) if leaky else ("relu", [])
        self._how: tuple[Any, ...] = (
            list(convolution.padding),
            list(convolution.stride),
            list(convolution.dilation),
            convolution.groups,
        )
        weight = convolution.weight.detach()
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._how)
        self._bias = None if convolution.bias is None else convolution.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The activation of the convolution of x."""
        return torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._how, *self._then, ""
        )


def fuse_activations(network: nn.Module) -> None:
    """Put a `FusedConvolution` in the place of every convolution with a (leaky) ReLU behind it, in place.

    Looks into every `nn.Sequential`; what a norm that was folded has left between the two does not
    matter. Does nothing where this build of torch has no such convolutions, or has wrong ones. The
    network has to be where it will run, in the precision that it will run in.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            _fuse_sequence(module)


def _fuse_sequence(sequence: nn.Sequential) -> None:
    working = [k for k, layer in enumerate(sequence) if not isinstance(layer, nn.Identity)]
    for at, behind in pairwise(working):
        convolution, activation = sequence[at], sequence[behind]
        if type(activation) in _ACTIVATIONS and _is_fusible(convolution):
            sequence[at], sequence[behind] = FusedConvolution(convolution, activation), nn.Identity()


def _is_fusible(layer: nn.Module) -> bool:
    return (
        type(layer) in _CONVOLUTIONS
        and not isinstance(layer.padding, str)
        and layer.padding_mode == "zeros"
        and layer.weight.device.type == "cpu"
        and _works(layer.weight.dtype, layer.weight.ndim - 2)
    )


@lru_cache
def _works(dtype: torch.dtype, axes: int) -> bool:
    """Whether torch can do it, and to the same result. These operators are its own, and may change."""
    # Without chance: whoever drew the seed of a training draws the same afterwards
    convolution = skip_init(_CONVOLUTIONS[axes - 2], 8, 8, 3, padding=1).requires_grad_(False)
    for values in convolution.parameters():
        values.copy_(torch.linspace(-0.5, 0.4, values.numel()).sin().reshape(values.shape))
    x = torch.linspace(-9, 9, 8 * 16**axes).cos().reshape(1, 8, *[16] * axes)
    convolution, x = convolution.to(dtype), x.to(dtype)
    expected = convolution(x).float()
    for activation in (nn.ReLU(), nn.LeakyReLU(0.1)):
        try:
            found = FusedConvolution(convolution, activation)(x).float()
        except (AttributeError, RuntimeError):
            return False
        if not torch.allclose(found, activation(expected), rtol=0.02, atol=1e-3):
            return False
    return True
