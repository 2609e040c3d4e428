"""PENN, a patch-extraction network for spinal tumours, after Chen et al. 2024 (J Bone Oncol 49, 100649).

The paper says that a convolution-deconvolution network learns features, that a patch-extraction
(PE) module feeds it patches, and that the feature maps are brought back to the image's size. It
does not print layers, patch sizes or strides where we can read them. What follows is OUR
INTERPRETATION, piece by piece:

PE module
    `centres_on_grid`, `extract`: patches of one size at a time, several sizes over a training
    (see `learning.tumour.patches`), around candidates in training and around a click, on an
    overlapping grid over a scan. A patch is a window of a grid of fixed pixels with its neighbouring
    slices as channels; nothing is rescaled, since a tumour's size in mm means something.
Encoder
    A strided 3 x 3 convolution a scale instead of pooling, then one more: `PENN.encoder`. The
    finest scale of features is at half the patch's resolution. `again` adds some that do nothing
    at first (`Again`): a trained network gets deeper without forgetting.
Decoder
    2 x 2 stride 2 transposed convolutions ("deconvolution"), each joined with the encoder's
    features of its scale and mixed by a 3 x 3 convolution; a last transposed convolution is the
    head and restores the patch's full size.
Back to full size
    `blend`: overlapping patches are averaged with Gaussian weights, so that a pixel is decided by
    the patches in whose middle it lies. The network is fully convolutional, so a whole slice may
    also go through as one large patch, which is what `core.predict` does (much faster; how far
    the labels agree was not measured).
Pre-training
    `PatchReconstruction` and `PatchClassifier` put other heads on the same encoder (and decoder).
    `AnatomyAided` is not in the paper at all: a second head that names the anatomy while training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

import torch
from torch import nn
from torch.nn import functional

from napari_spineseg.core.networks.doubling import Doubling
from napari_spineseg.core.tiling import gaussian, starts


class PENN(nn.Module):
    """Convolutional encoder, deconvolutional decoder, patch in, patch out.

    Parameters
    ----------
    in_channels
        Slices that enter as channels, the one to segment in the middle.
    classes
        Outputs, background first.
    widths
        Channels at each scale, finest (half the input's resolution) first.
    again
        How many `Again` each scale of the encoder ends with, finest first; none where left out.

    Shapes
    ------
    image: (patches, in_channels, H, W), H and W multiples of `stride`
    logits: (patches, classes, H, W)
    """

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 2,
        widths: tuple[int, ...] = (24, 48, 96, 160, 224),
        again: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.in_channels, self.classes, self.widths = in_channels, classes, tuple(widths)
        self.encoder = nn.ModuleList()
        before = in_channels
        for width, more in zip_longest(widths, again[: len(widths)], fillvalue=0):
            block = (*_conv(before, width, 2), *_conv(width, width))
            self.encoder.append(nn.Sequential(*block, *(Again(width) for _ in range(more))))
            before = width
        self.deconvolutions, self.decoder = nn.ModuleList(), nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.deconvolutions.append(Doubling(before, width))
            self.decoder.append(nn.Sequential(*_conv(2 * width, width)))
            before = width
        self.head = Doubling(before, classes)

    @property
    def stride(self) -> int:
        """What height and width must be multiples of."""
        return 2 ** len(self.widths)

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(n, in_channels, H, W) -> features of each scale, finest first."""
        features = []
        for block in self.encoder:
            image = block(image)
            features.append(image)
        return features

    def decode(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Features of each scale -> (n, widths[0], H / 2, W / 2)."""
        *skips, out = features
        for up, block in zip(self.deconvolutions, self.decoder, strict=True):
            out = block(torch.cat([up(out), skips.pop()], 1))
        return out

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, in_channels, H, W) -> logits (n, classes, H, W)."""
        return self.head(self.decode(self.encode(image)))


class Again(nn.Module):
    """relu(x + norm(conv(x))), the norm's weight 0 at first: behind a ReLU it begins as if it were not there.

    image: (n, width, H, W) -> the same shape.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))
        nn.init.zeros_(self.change[1].weight)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Add the change."""
        return functional.relu(image + self.change(image))


class PatchReconstruction(nn.Module):
    """PENN with a head that paints what was masked: the first pre-training task.

    image: (n, in_channels, H, W) with blocks blanked -> (n, in_channels, H, W), the whole patch.
    """

    def __init__(self, network: PENN) -> None:
        super().__init__()
        self.network = network
        self.head = Doubling(network.widths[0], network.in_channels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Reconstruct the patch."""
        return self.head(self.network.decode(self.network.encode(image)))


class AnatomyAided(nn.Module):
    """PENN with a second head, in training only, that names the anatomy.

    A tumour fills 2 % of a patch; what is bone, disc and canal a network learns at once, and it needs
    to know that to tell what does not belong. How much it helps was not measured by itself.

    image: (n, in_channels, H, W) -> logits (n, classes + structures, H, W), the tumour's first.
    """

    def __init__(self, network: PENN, structures: int = 4) -> None:
        super().__init__()
        self.network = network
        self.head = Doubling(network.widths[0], structures)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Segment tumours and anatomy."""
        features = self.network.decode(self.network.encode(image))
        return torch.cat([self.network.head(features), self.head(features)], 1)


class PatchClassifier(nn.Module):
    """PENN's encoder with a head that says what a patch shows: the second pre-training task.

    image: (n, in_channels, H, W) -> logits (n, classes).
    """

    def __init__(self, network: PENN, classes: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(2 * network.widths[-1], classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Classify the patch from the mean and the largest of its deepest features."""
        deepest = self.network.encode(image)[-1]
        return self.head(torch.cat([deepest.mean((2, 3)), deepest.amax((2, 3))], 1))


def mask_blocks(
    image: torch.Tensor, share: float, block: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Blank random square blocks, the same in all channels, for `PatchReconstruction`.

    Returns the blanked patches and the mask (n, 1, H, W), 1 where blanked.
    """
    count, _, height, width = image.shape
    coarse = torch.rand(count, 1, -(-height // block), -(-width // block), generator=generator) < share
    mask = functional.interpolate(coarse.float(), scale_factor=block)[..., :height, :width].to(image)
    return image * (1 - mask), mask


def extract(image: torch.Tensor, centres: Sequence[tuple[int, int]], size: int) -> torch.Tensor:
    """Patches of (channels, H, W) around centres (row, column): (n, channels, size, size).

    What lies beyond the image is filled with its smallest value, as the padding of a scan is.
    """
    half = size // 2
    padded = functional.pad(image, (half, size, half, size), value=float(image.min()))
    return torch.stack([padded[:, r : r + size, c : c + size] for r, c in centres])


def centres_on_grid(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Centres of patches that cover (height, width) with an overlap of at least a quarter.

    `height`, `width` and `size` are multiples of `stride`.
    """
    half = size // 2
    return [
        (top + half, left + half)
        for top in starts(height, size, stride)
        for left in starts(width, size, stride)
    ]


def blend(patches: torch.Tensor, centres: Sequence[tuple[int, int]], height: int, width: int) -> torch.Tensor:
    """Put patches (n, classes, size, size) back to (classes, height, width), Gaussian weights.

    What no patch reaches is 0.
    """
    size = patches.shape[-1]
    half = size // 2
    weight = gaussian(size, size, patches.device)
    total = patches.new_zeros(patches.shape[1], height + 2 * size, width + 2 * size)
    weights = patches.new_zeros(height + 2 * size, width + 2 * size)
    for patch, (row, column) in zip(patches, centres, strict=True):
        window = (
            slice(row - half + size, row - half + 2 * size),
            slice(column - half + size, column - half + 2 * size),
        )
        total[:, *window] += patch * weight
        weights[window] += weight
    inside = slice(size, size + height), slice(size, size + width)
    return total[:, *inside] / weights[inside].clamp_min(1e-6)


def segment_by_patches(
    run: Callable[[torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    size: int,
    stride: int,
    centres: Sequence[tuple[int, int]] | None = None,
) -> torch.Tensor:
    """PE module, network and blending in one: (channels, H, W) -> logits (classes, H, W).

    `centres` are candidates to look at; without them an overlapping grid covers the whole slice.
    """
    _, height, width = image.shape
    padded = (-(-height // stride) * stride, -(-width // stride) * stride)
    centres = centres_on_grid(*padded, size, stride) if centres is None else centres
    logits = torch.cat([run(patch[None]) for patch in extract(image, centres, size)])
    return blend(logits, centres, height, width)


def _conv(before: int, after: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
