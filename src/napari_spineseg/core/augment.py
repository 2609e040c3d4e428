"""What may happen to an image between two patients or two scanners, drawn at random.

Geometry acts on image and labels together; acquisition acts on the image alone. Everything works
on a batch of crops at once, (batch, channels, height, width), on whatever device they are, and is
deterministic by the generator's seed. Channels are neighbouring slices of one scan, so whatever
a scanner does to a scan is the same for all channels of a sample.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.artefacts import spoil

_CURVE_STEPS = 256


class AugmentSettings(BaseModel):
    """How far augmentation goes. Every strength is the largest that is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation_deg: float = Field(18.0, ge=0)
    scale: float = Field(1.3, ge=1, description="largest zoom, in or out")
    shear: float = Field(0.12, ge=0)
    bend_deg: float = Field(
        0.0, ge=0, le=40, description="furthest that the top and the bottom of a sample are bent"
    )
    warp_mm: float = Field(3.0, ge=0, description="smooth displacement")
    remap_share: float = Field(0.55, ge=0, le=1, description="share of real images given another contrast")
    blur_share: float = Field(0.6, ge=0, le=1)
    noise: float = Field(0.12, ge=0)
    bias: float = Field(0.6, ge=0)
    padded_share: float = Field(
        0.0, ge=0, le=1, description="share of samples that are padded as a turned volume is"
    )
    spoiled_share: float = Field(
        0.0, ge=0, le=1, description="share of samples with ghosts, a smear or a saturation band"
    )
    void_share: float = Field(
        0.0, ge=0, le=1, description="share of samples with a void of metal; what it hides is not learnt"
    )
    slip_mm: float = Field(
        0.0, ge=0, description="furthest that what lies above a line slips on what is below"
    )
    crush: float = Field(0.0, ge=0, lt=0.7, description="most that a stretch as high as a body is compressed")
    chemical_shift_px: int = Field(0, ge=0, description="furthest that fat is displaced in painted images")


def draw_grid(
    count: int,
    size: tuple[int, int],
    pixel_mm: float,
    settings: AugmentSettings,
    generator: torch.Generator,
) -> torch.Tensor:
    """Sampling positions of `count` crops around their centres.

    Returns (count, height, width, 2) float32 offsets in pixels, (column, row), from the centre
    of the crop: an affine change and a smooth warp.
    """

    def uniform(reach: float) -> torch.Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * reach

    angle = uniform(math.radians(settings.rotation_deg))
    zoom = torch.exp(uniform(math.log(settings.scale)))
    stretch = torch.exp(uniform(0.1))
    shear = uniform(settings.shear)
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = torch.arange(size[0], dtype=torch.float32) - (size[0] - 1) / 2
    columns = torch.arange(size[1], dtype=torch.float32) - (size[1] - 1) / 2
    matrix = torch.stack(
        [zoom * stretch * cos, zoom * (-sin + shear), zoom * sin, zoom * cos / stretch], 1
    ).reshape(count, 2, 2)
    if settings.bend_deg:
        straight = _bent(rows, columns, uniform(settings.bend_deg), uniform(settings.bend_deg))
    else:
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        straight = torch.stack([x, y], -1).expand(count, -1, -1, -1)
    grid = torch.einsum("nij,nhwj->nhwi", matrix, straight)
    coarse = torch.randn(count, 2, 7, 5, generator=generator) * settings.warp_mm / pixel_mm / 2
    warp = functional.interpolate(coarse, size, mode="bilinear", align_corners=True)
    grid = grid + warp.permute(0, 2, 3, 1)
    if not settings.slip_mm and not settings.crush:
        return grid
    return _deformed(grid, size, pixel_mm, settings, generator)


def _bent(rows: torch.Tensor, columns: torch.Tensor, curve: torch.Tensor, sway: torch.Tensor) -> torch.Tensor:
    """Positions (count, H, W, 2) on a sheet that is bent as a spine bends: rows turn, and stay straight.

    The turn at height u (-1 top, 1 bottom) is `curve` u + `sway` (u^2 - 1/3) / 2, in degrees, (count,)
    each; the mean turn is none. Lordosis differs between people by more than a rotation of all can say.
    """
    height = rows / rows.abs().max().clamp_min(1)
    turn = torch.deg2rad(curve[:, None] * height + sway[:, None] * (height**2 - 1 / 3) / 2)
    # Where the middle column runs: one row further for every row, in the direction of the turn there.
    steps = torch.stack([-turn.sin(), turn.cos()], -1)
    line = steps.cumsum(1) - steps / 2
    line = line - line.mean(1, keepdim=True)
    along = torch.stack([turn.cos(), turn.sin()], -1)
    return line[:, :, None] + along[:, :, None] * columns[None, None, :, None]


def _deformed(
    grid: torch.Tensor,
    size: tuple[int, int],
    pixel_mm: float,
    settings: AugmentSettings,
    generator: torch.Generator,
) -> torch.Tensor:
    """Half the samples with a slip along a row, half with a stretch of 15 to 30 mm compressed."""
    row = grid[..., 1]
    slips, at, far, crushes, middle, much, high = torch.rand(7, len(grid), 1, 1, generator=generator)
    step = torch.sigmoid((row - (at - 0.5) * 0.8 * size[0]) * pixel_mm / 1.5)
    across = (slips < 0.5) * (2 * far - 1) * settings.slip_mm / pixel_mm * step
    width = (15 + 15 * high) / pixel_mm / 2
    # Reading further than one stands compresses; at most `crush` of the stretch is lost.
    reach = torch.tanh((row - (middle - 0.5) * 0.8 * size[0]) / width) * width
    lost = settings.crush * much
    return grid + torch.stack([across, (crushes < 0.5) * lost / (1 - lost) * reach], -1)


def sample(
    source: torch.Tensor, centre: tuple[float, float], offsets: torch.Tensor, mode: str
) -> torch.Tensor:
    """Read (channels, h, w) float at `offsets` (H, W, 2) around `centre` (row, column), in pixels.

    Outside the source an image repeats its border and labels are 0.
    """
    height, width = source.shape[-2:]
    x = (offsets[..., 0] + centre[1] + 0.5) / width * 2 - 1
    y = (offsets[..., 1] + centre[0] + 0.5) / height * 2 - 1
    grid = torch.stack([x, y], -1)[None]
    padding = "zeros" if mode == "nearest" else "border"
    return functional.grid_sample(source[None], grid, mode, padding, align_corners=False)[0]


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


def draw_padding(
    count: int, size: tuple[int, int], settings: AugmentSettings, generator: torch.Generator
) -> torch.Tensor:
    """Where crops are padded as volumes are that were turned or resampled: (count, H, W) bool.

    Straight, slightly tilted borders on one or both sides, along rows or columns; up to a third of
    the crop lies beyond each.
    """
    rows, columns = torch.meshgrid(*(torch.linspace(-0.5, 0.5, n) for n in size), indexing="ij")
    outside = torch.zeros(count, *size, dtype=torch.bool)
    for sample_outside in outside:
        padded, along, tilt, first, second, both = torch.rand(6, generator=generator).tolist()
        if padded >= settings.padded_share:
            continue
        across, beside = (rows, columns) if along < 0.5 else (columns, rows)
        distance = across + beside * math.tan(math.radians(50 * (tilt - 0.5)))
        side = 1 if first < 0.5 else -1
        sample_outside |= side * distance > 0.5 - 0.33 * abs(2 * first - 1)
        if both < 0.4:
            sample_outside |= -side * distance > 0.5 - 0.33 * second
    return outside


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
