"""What another patient's tissue or another scanner makes of an image, drawn at random; geometry stays.

Everything works on a batch of crops at once, (batch, channels, height, width), on whatever device they
are, and is deterministic by the generator's seed. Channels are neighbouring slices of one scan, so
whatever a scanner does to a scan is the same for all channels of a sample.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.artefacts import spoil
from napari_spineseg.core.augment import AugmentSettings

_CURVE_STEPS = 256


def remap_contrast(image: torch.Tensor, structures: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Give a real image another contrast, its texture kept.

    image: (channels, H, W) in 0..1; structures: (channels, H, W). Each structure and the rest
    get a random monotone or inverted curve of their own; where the structures meet, the curves
    are blended over a few pixels, so that no seam gives the border away.
    """
    kinds = (Structure.BACKGROUND, Structure.VERTEBRA, Structure.DISC, Structure.CANAL)
    masks = torch.stack([structures == kind for kind in kinds]).float()
    # A coarse mean, interpolated, is a cheap soft border about 2 mm wide.
    masks = functional.interpolate(functional.avg_pool2d(masks, 4), structures.shape[-2:], mode="bilinear")
    grey = (image.clamp(0, 1) * (_CURVE_STEPS - 1)).long()
    return sum(mask * _curve(generator)[grey] for mask in masks)


def _curve(generator: torch.Generator) -> torch.Tensor:
    """A random contrast curve as a table over grey values 0..1."""
    gamma, low, high, flip = torch.rand(4, generator=generator)
    bent = torch.linspace(0, 1, _CURVE_STEPS) ** float(torch.exp((gamma - 0.5) * 1.8))
    if flip < 0.35:
        bent = 1 - bent
    return 0.35 * float(low) + (0.45 + 0.55 * float(high)) * bent


def soften(images: torch.Tensor) -> torch.Tensor:
    """Blur (..., H, W) by a 1-2-1 kernel along both axes: the partial volume of a painted edge."""
    for axis in (-1, -2):
        n = images.shape[axis]
        first, last = images.narrow(axis, 0, 1), images.narrow(axis, n - 1, 1)
        before = torch.cat([first, images.narrow(axis, 0, n - 1)], axis)
        after = torch.cat([images.narrow(axis, 1, n - 1), last], axis)
        images = (before + after).add_(images, alpha=2).mul_(0.25)
    return images


def acquire(images: torch.Tensor, settings: AugmentSettings, generator: torch.Generator) -> torch.Tensor:
    """Pass images through a scanner: bias field, limited resolution, Rician noise, gamma, window.

    (batch, channels, H, W) in about 0..1 -> the same shape, about 0..1.
    """
    count = len(images)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(count, *shape, generator=generator).to(images.device)

    images = images.clamp_min(0) * _bias(images, settings, generator)
    if settings.spoiled_share:
        images = spoil(images, settings.spoiled_share, generator)
    for index in range(count):
        if float(torch.rand(1, generator=generator)) < settings.blur_share:
            images[index] = _coarsen(images[index], generator)
    level = settings.noise * draw(1, 1, 1) ** 2
    real, imaginary = _receiver_noise(images.shape, generator)
    real, imaginary = real.to(images.device) * level, imaginary.to(images.device) * level
    images = (images + real).square_().add_(imaginary.square_()).sqrt_()
    return images.clamp_(0, 1.5).pow_(torch.exp((draw(1, 1, 1) - 0.5) * 0.9))


def _receiver_noise(shape: torch.Size, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Gaussian noise for both receiver channels, (batch, channels, H, W) each.

    One field a sample is drawn, and shifted for every other use: as good as independent at the
    distances a network sees, at a sixth of the cost.
    """
    field = torch.randn(shape[0], shape[2], shape[3], generator=generator)
    shifted = [field.roll((37 * k, 91 * k), (1, 2)) for k in range(2 * shape[1])]
    return torch.stack(shifted[: shape[1]], 1), torch.stack(shifted[shape[1] :], 1)


def _bias(images: torch.Tensor, settings: AugmentSettings, generator: torch.Generator) -> torch.Tensor:
    """Smooth gain, and a surface coil's fall-off from the back to the front."""
    count, _, height, width = images.shape
    coarse = torch.randn(count, 1, 4, 3, generator=generator) * settings.bias * 0.35
    field = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)
    fall = torch.rand(count, 1, 1, 1, generator=generator) ** 2 * settings.bias * 2
    column = torch.linspace(-1, 0, width).reshape(1, 1, 1, width)
    return torch.exp(field + fall * column).to(images.device)


def _coarsen(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Lose resolution as a scanner with larger pixels would, along rows or columns or both."""
    height, width = image.shape[-2:]
    row, column, both = torch.rand(3, generator=generator)
    vertical = 1 + 1.6 * float(row) ** 2
    horizontal = vertical if both < 0.5 else 1 + 1.6 * float(column) ** 2
    size = (max(8, round(height / vertical)), max(8, round(width / horizontal)))
    small = functional.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)
    return functional.interpolate(small, (height, width), mode="bilinear", align_corners=False)[0]


def standardise(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Mean 0, deviation 1 over each crop's middle channel, then a little off, as a whole slice would be.

    Inference standardises whole slices, training sees crops: the jitter covers the difference.
    """
    middle = images[:, images.shape[1] // 2 : images.shape[1] // 2 + 1]
    mean, deviation = middle.mean((2, 3), keepdim=True), middle.std((2, 3), keepdim=True).clamp_min(1e-3)
    count = len(images)
    shift = 0.25 * torch.randn(count, 1, 1, 1, generator=generator).to(images.device)
    gain = torch.exp(0.2 * torch.randn(count, 1, 1, 1, generator=generator)).to(images.device)
    return (images - mean) / deviation * gain + shift
