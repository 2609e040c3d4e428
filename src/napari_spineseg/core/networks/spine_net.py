"""SpineNet, the default network: a 2.5D U-Net that is quick on a processor.

Why it looks as it does
- The image is folded (2 x 2 pixels become 4 channels) before the first convolution, and the
  answer is unfolded after the last: borders come out at the full 0.5 mm grid while every
  convolution runs on a 1 mm grid, at a quarter of the cost.
- Neighbouring slices enter as channels, a few millimetres to either side whatever the slice
  spacing, so that a thick-slice exam and a 0.9 mm SPACE volume look alike to it.
- Batch norm only: `fold` merges it into the convolutions, so that inference has no norms.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_spineseg.core.networks.doubling import Doubling

FOLD = 2
# How much of its first weights a neighbouring slice has at the beginning of a training.
_WHISPER = 0.1
_CONVOLUTIONS, _NORMS = (nn.Conv2d, nn.Conv3d), (nn.BatchNorm2d, nn.BatchNorm3d)


class SpineNet(nn.Module):
    """U-Net on folded pixels.

    Parameters
    ----------
    in_channels
        Slices that enter as channels: the slice itself in the middle, its neighbours around it.
    classes
        Structures, background included.
    widths
        Channels at each scale, finest (1 mm for 0.5 mm input) first.

    Shapes
    ------
    image: (batch, in_channels, H, W) with H and W multiples of `stride`
    logits: (batch, classes, H, W)
    """

    def __init__(
        self, in_channels: int = 3, classes: int = 4, widths: tuple[int, ...] = (32, 64, 128, 192, 256)
    ) -> None:
        super().__init__()
        self.in_channels, self.classes, self.widths = in_channels, classes, tuple(widths)
        self.encoder = nn.ModuleList()
        before = in_channels * FOLD**2
        for scale, width in enumerate(widths):
            self.encoder.append(
                nn.Sequential(_conv(before, width, 1 if scale == 0 else 2), _conv(width, width))
            )
            before = width
        self.upsample, self.decoder = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.upsample.append(Doubling(before, width))
            self.decoder.append(nn.Sequential(_conv(2 * width, width), _conv(width, width)))
            before = width
        self.head = nn.Conv2d(before, classes * FOLD**2, 1)
        self._begin_with_the_middle()

    def _begin_with_the_middle(self) -> None:
        """Let the neighbours whisper at first: a network that has to find out which slice it is asked about
        learns far more slowly (`benchmarks/ablation.md`)."""
        with torch.no_grad():
            loudness = torch.full((self.in_channels,), _WHISPER)
            loudness[self.in_channels // 2] = 1.0
            self.encoder[0][0][0].weight *= loudness.repeat_interleave(FOLD**2)[:, None, None]

    @property
    def stride(self) -> int:
        """What height and width must be multiples of."""
        return FOLD * 2 ** (len(self.widths) - 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, H, W) -> logits (batch, classes, H, W)."""
        features = functional.pixel_unshuffle(image, FOLD)
        features = down_and_up(features, self.encoder, self.upsample, self.decoder)
        return functional.pixel_shuffle(self.head(features), FOLD)


def down_and_up(
    features: torch.Tensor, encoder: nn.ModuleList, upsample: nn.ModuleList, decoder: nn.ModuleList
) -> torch.Tensor:
    """Through the U: each step up is joined with the features of its scale on the way down."""
    skips = []
    for block in encoder:
        features = block(features)
        skips.append(features)
    skips.pop()
    for up, block in zip(upsample, decoder, strict=True):
        features = block(torch.cat([up(features), skips.pop()], 1))
    return features


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


def fold(network: nn.Module) -> nn.Module:
    """A copy in eval mode with every batch norm merged into the convolution before it.

    Works on any network whose norms follow a convolution inside an `nn.Sequential`; others are
    left as they are. The outputs are equal up to rounding.
    """
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, nn.Sequential):
            _fold_sequence(module)
    return folded


def _fold_sequence(sequence: nn.Sequential) -> None:
    layers = list(sequence)
    for at in range(len(layers) - 1):
        if isinstance(layers[at], _CONVOLUTIONS) and isinstance(layers[at + 1], _NORMS):
            sequence[at] = fuse_conv_bn_eval(layers[at], layers[at + 1])
            sequence[at + 1] = nn.Identity()
