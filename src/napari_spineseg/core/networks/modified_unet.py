"""The modified U-Net of Ahmed et al. 2024 (arXiv 2409.06018; Machine Learning with Applications 20, 100635).

Kept as published, so that its table can be reproduced. Where the paper is silent:
- the decoder's convolutions have ReLU, each before its norm, as in the encoder; LeakyReLU stands
  in the upsample block only (our interpretation);
- norms have Keras' epsilon, 0.001, since the paper's network was written in it (our interpretation);
- the softmax is left to the loss and to `predict`: the network returns logits.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_spineseg.core.networks.doubling import Doubling
from napari_spineseg.core.networks.dropout import ByteDropout

ENCODER_WIDTHS = (16, 32, 64, 128, 256, 512)
ENCODER_DROPOUT = (0.1, 0.1, 0.2, 0.2, 0.3, 0.3)
DECODER_WIDTHS = (256, 128, 64, 32)
DECODER_DROPOUT = (0.2, 0.2, 0.1, 0.1)
_NORM_EPSILON = 1e-3


class ModifiedUNet(nn.Module):
    """U-Net with an extra block at its deepest scale and a learnt first upsampling.

    Encoder blocks of 16 to 256 channels at five scales, a 512 block at the scale of the 256 one
    (there is no pooling between the two), and four decoder steps, the first through a 3 x 3
    transposed convolution with norm and LeakyReLU. 8.04 million parameters, counting the
    running statistics of the norms as Keras does.

    Shapes
    ------
    image: (batch, in_channels, H, W) with H and W multiples of `stride`; 256 x 256 as published
    logits: (batch, classes, H, W)
    """

    stride = 16

    def __init__(self, in_channels: int = 1, classes: int = 4) -> None:
        super().__init__()
        before = (in_channels, *ENCODER_WIDTHS)
        self.encoder = nn.ModuleList(
            _encoder_block(*widths, dropout)
            for widths, dropout in zip(
                zip(before, ENCODER_WIDTHS, strict=False), ENCODER_DROPOUT, strict=True
            )
        )
        self.pool = nn.MaxPool2d(2)
        before = (ENCODER_WIDTHS[-1], *DECODER_WIDTHS)
        self.upsample = nn.ModuleList(
            [_upsample_block(before[0], before[1])]
            + [Doubling(before[k], before[k + 1]) for k in range(1, len(DECODER_WIDTHS))]
        )
        skips = ENCODER_WIDTHS[len(DECODER_WIDTHS) - 1 :: -1]
        self.decoder = nn.ModuleList(
            _decoder_block(width + skip, width, dropout)
            for width, skip, dropout in zip(DECODER_WIDTHS, skips, DECODER_DROPOUT, strict=True)
        )
        self.head = nn.Conv2d(DECODER_WIDTHS[-1], classes, 1)
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(batch, in_channels, H, W) -> logits (batch, classes, H, W)."""
        skips = []
        for block in self.encoder[: len(DECODER_WIDTHS)]:
            skips.append(block(image))
            image = self.pool(skips[-1])
        for block in self.encoder[len(DECODER_WIDTHS) :]:
            image = block(image)
        for up, block in zip(self.upsample, self.decoder, strict=True):
            image = block(torch.cat([up(image), skips.pop()], 1))
        return self.head(image)


def _encoder_block(before: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(width, eps=_NORM_EPSILON),
        ByteDropout(dropout),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _upsample_block(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(before, width, 3, stride=2, padding=1, output_padding=1),
        nn.BatchNorm2d(width, eps=_NORM_EPSILON),
        nn.LeakyReLU(0.1, inplace=True),
    )


def _decoder_block(before: int, width: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, width):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(width, eps=_NORM_EPSILON),
            ByteDropout(dropout),
        ]
    return nn.Sequential(*layers)


def _initialise(module: nn.Module) -> None:
    """Glorot-uniform weights, zero biases."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
