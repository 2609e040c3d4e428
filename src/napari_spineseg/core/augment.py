"""How far training images are changed, and what happens to their geometry, drawn at random.

Geometry acts on image and labels together; what acts on the image alone is `appearance`. Everything works
on a batch of crops at once and is deterministic by the generator's seed.
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional


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
