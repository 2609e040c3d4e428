"""What spoils a scan: movement, saturation bands, metal.

Everything works on images in about 0..1 and is deterministic by the generator's seed. Channels are
neighbouring slices of one scan and are spoiled alike.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

_FURTHEST_GHOST, _LONGEST_SMEAR_PX = 0.25, 13
_RIM_PX = 6


def spoil(images: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Give a share of the samples ghosts, a smear or a saturation band.

    (batch, channels, H, W) -> the same shape.
    """
    kinds = (ghosts, smear, saturate)
    for index in range(len(images)):
        chance, kind = torch.rand(2, generator=generator).tolist()
        if chance < share:
            images[index] = kinds[int(kind * len(kinds))](images[index], generator)
    return images


def ghosts(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Periodic movement: faint copies along the phase direction, (channels, H, W).

    A movement with n periods in the acquisition repeats the image every 1/n of the field of view; see
    Wood and Henkelman, Medical Physics 12, 143 (1985). Copies wrap around, as they do in a scan.
    """
    axis, period, strength = torch.rand(3, generator=generator).tolist()
    along = 1 if axis < 0.7 else 2
    shift = max(4, round(image.shape[along] * (0.04 + _FURTHEST_GHOST * period)))
    first = 0.1 + 0.4 * strength**2
    copies = sum(
        amount * (image.roll(n * shift, along) + image.roll(-n * shift, along))
        for n, amount in ((1, first), (2, first / 2))
    )
    return (image + copies) / (1 + first)


def smear(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A shift while the scan ran: the image averaged over up to 6 mm, mostly from head to feet."""
    axis, reach = torch.rand(2, generator=generator).tolist()
    odd = 3 + 2 * int(reach * (_LONGEST_SMEAR_PX - 1) / 2)
    size, pad = ((odd, 1), (odd // 2, 0)) if axis < 0.7 else ((1, odd), (0, odd // 2))
    return functional.avg_pool2d(image, size, stride=1, padding=pad, count_include_pad=False)


def saturate(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A saturation band: what lies in front of a tilted line loses most of its signal.

    The line keeps to the front third, where bands are laid to silence breathing and bowel.
    """
    place, tilt, edge, left = torch.rand(4, generator=generator).tolist()
    rows, columns = (torch.linspace(-0.5, 0.5, n) for n in image.shape[1:])
    ahead = columns[None, :] + 0.5 - 0.35 * place - math.tan(math.radians(40 * (tilt - 0.5))) * rows[:, None]
    kept = torch.sigmoid(ahead * (20 + 100 * edge)).to(image.device)
    least = 0.05 + 0.3 * left
    return image * (least + (1 - least) * kept)


def draw_voids(
    count: int, size: tuple[int, int], share: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where metal takes the signal away, and where it piles it up.

    Returns two (count, H, W) tensors: bool, inside a void; float32, how bright its rim is. A void is an
    ellipse of 6 to 30 mm (at 0.5 mm pixels) with an uneven border, anywhere in the crop.
    """
    inside, rim = torch.zeros(count, *size, dtype=torch.bool), torch.zeros(count, *size)
    for sample_inside, sample_rim in zip(inside, rim, strict=True):
        if float(torch.rand(1, generator=generator)) >= share:
            continue
        centre = torch.rand(2, generator=generator) * torch.tensor(size)
        radii = 6 + 24 * torch.rand(2, generator=generator) ** 2
        wobble = functional.interpolate(torch.randn(1, 1, 12, 9, generator=generator), size, mode="bilinear")
        rows, columns = (torch.arange(n) - c for n, c in zip(size, centre, strict=True))
        away = torch.sqrt((rows[:, None] / radii[0]) ** 2 + (columns[None, :] / radii[1]) ** 2)
        away = (away - 1) * radii.mean() + 3 * wobble[0, 0]
        sample_inside |= away < 0
        sample_rim += torch.exp(-((away / _RIM_PX) ** 2)) * float(torch.rand(1, generator=generator))
    return inside, rim
