"""Grey values for tissues: what a sequence makes of them, with the scatter between scanners.

The means are relative signals (1 = the brightest tissue of that sequence) read off textbook
relaxation times and adjusted by eye; the scatter is deliberately wide, and every fourth image
gets entirely random values, because a network that has seen any contrast has none to fear.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_spineseg.synthesis.noise import smooth_noise
from napari_spineseg.synthesis.tissues import Tissue

T = Tissue
_LOOKS: dict[str, dict[Tissue, float]] = {
    "T1": {
        T.SUBCUTANEOUS_FAT: 1.0,
        T.MUSCLE: 0.35,
        T.VISCERAL_FAT: 0.9,
        T.BOWEL: 0.35,
        T.ORGAN: 0.42,
        T.VESSEL: 0.1,
        T.MARROW: 0.62,
        T.CORTEX: 0.1,
        T.NUCLEUS: 0.36,
        T.ANNULUS: 0.27,
        T.CSF: 0.15,
        T.CORD: 0.38,
        T.EPIDURAL_FAT: 0.92,
        T.LIGAMENT: 0.15,
        T.SACRUM: 0.64,
        T.ARCH_MARROW: 0.68,
        T.LESION: 0.8,
        T.FASCIA: 0.15,
    },
    "T2": {
        T.SUBCUTANEOUS_FAT: 0.85,
        T.MUSCLE: 0.16,
        T.VISCERAL_FAT: 0.75,
        T.BOWEL: 0.4,
        T.ORGAN: 0.3,
        T.VESSEL: 0.06,
        T.MARROW: 0.4,
        T.CORTEX: 0.06,
        T.NUCLEUS: 0.5,
        T.ANNULUS: 0.13,
        T.CSF: 0.95,
        T.CORD: 0.42,
        T.EPIDURAL_FAT: 0.75,
        T.LIGAMENT: 0.09,
        T.SACRUM: 0.42,
        T.ARCH_MARROW: 0.45,
        T.LESION: 0.6,
        T.FASCIA: 0.1,
    },
    "STIR": {
        T.SUBCUTANEOUS_FAT: 0.08,
        T.MUSCLE: 0.24,
        T.VISCERAL_FAT: 0.09,
        T.BOWEL: 0.45,
        T.ORGAN: 0.4,
        T.VESSEL: 0.15,
        T.MARROW: 0.17,
        T.CORTEX: 0.04,
        T.NUCLEUS: 0.5,
        T.ANNULUS: 0.12,
        T.CSF: 0.97,
        T.CORD: 0.45,
        T.EPIDURAL_FAT: 0.1,
        T.LIGAMENT: 0.08,
        T.SACRUM: 0.16,
        T.ARCH_MARROW: 0.15,
        T.LESION: 0.5,
        T.FASCIA: 0.07,
    },
    "water": {
        T.SUBCUTANEOUS_FAT: 0.08,
        T.MUSCLE: 0.6,
        T.VISCERAL_FAT: 0.1,
        T.BOWEL: 0.5,
        T.ORGAN: 0.65,
        T.VESSEL: 0.75,
        T.MARROW: 0.38,
        T.CORTEX: 0.12,
        T.NUCLEUS: 0.72,
        T.ANNULUS: 0.5,
        T.CSF: 0.5,
        T.CORD: 0.6,
        T.EPIDURAL_FAT: 0.12,
        T.LIGAMENT: 0.25,
        T.SACRUM: 0.36,
        T.ARCH_MARROW: 0.3,
        T.LESION: 0.5,
        T.FASCIA: 0.2,
    },
    "fat": {
        T.SUBCUTANEOUS_FAT: 1.0,
        T.MUSCLE: 0.06,
        T.VISCERAL_FAT: 0.9,
        T.BOWEL: 0.08,
        T.ORGAN: 0.08,
        T.VESSEL: 0.05,
        T.MARROW: 0.42,
        T.CORTEX: 0.1,
        T.NUCLEUS: 0.06,
        T.ANNULUS: 0.06,
        T.CSF: 0.05,
        T.CORD: 0.06,
        T.EPIDURAL_FAT: 0.85,
        T.LIGAMENT: 0.06,
        T.SACRUM: 0.45,
        T.ARCH_MARROW: 0.5,
        T.LESION: 0.7,
        T.FASCIA: 0.1,
    },
}
# In phase, both kinds of proton add up.
_LOOKS["in phase"] = {t: 0.6 * _LOOKS["water"][t] + 0.55 * _LOOKS["fat"][t] for t in _LOOKS["fat"]}
# Gadolinium brightens what has vessels.
_LOOKS["Gd T1"] = _LOOKS["T1"] | {
    T.VESSEL: 0.75,
    T.MUSCLE: 0.42,
    T.ORGAN: 0.6,
    T.EPIDURAL_FAT: 0.95,
    T.BOWEL: 0.5,
}

_SHARES = {
    "T1": 0.22,
    "T2": 0.24,
    "STIR": 0.12,
    "water": 0.06,
    "fat": 0.05,
    "in phase": 0.09,
    "Gd T1": 0.05,
    "random": 0.17,
}
LOOKS = tuple(_SHARES)


@dataclass(frozen=True)
class Look:
    """One drawn contrast: a grey value and a texture strength for each tissue."""

    name: str
    grey: torch.Tensor
    texture: torch.Tensor


def draw_look(generator: torch.Generator, name: str | None = None) -> Look:
    """Draw a contrast by name, or one at the shares that training uses."""
    if name is None:
        weights = torch.tensor(list(_SHARES.values()))
        name = LOOKS[int(torch.multinomial(weights, 1, generator=generator))]
    count = len(Tissue)
    if name == "random":
        grey = torch.rand(count, generator=generator)
    else:
        mean = torch.zeros(count)
        for tissue, value in _LOOKS[name].items():
            mean[tissue] = value
        scatter = torch.randn(count, generator=generator)
        grey = (mean * torch.exp(0.22 * scatter) + 0.03 * torch.randn(count, generator=generator)).clamp(
            0, 1.3
        )
    grey[T.AIR] = 0.01
    texture = 0.02 + 0.13 * torch.rand(count, generator=generator)
    texture[T.AIR] = 0.0
    texture[T.LESION] += 0.1
    return Look(name, grey, texture)


def degenerate(look: Look, generator: torch.Generator) -> Look:
    """The same look with discs as dark as the endplates beside them (Pfirrmann grade V).

    Where one cannot tell a disc from its endplates by grey, what is left is the shape.
    """
    grey = look.grey.clone()
    for tissue in (T.NUCLEUS, T.ANNULUS):
        grey[tissue] = grey[T.CORTEX] * (1 + 0.6 * float(torch.rand(1, generator=generator))) + 0.01
    return Look(look.name, grey, look.texture)


# Share of each tissue's signal that comes from fat.
_FAT = {
    T.SUBCUTANEOUS_FAT: 1.0,
    T.VISCERAL_FAT: 1.0,
    T.EPIDURAL_FAT: 1.0,
    T.MARROW: 0.7,
    T.SACRUM: 0.7,
    T.ARCH_MARROW: 0.7,
}
_NO_FAT = ("STIR", "water")


def shift_fat(
    image: torch.Tensor, tissues: torch.Tensor, look: Look, furthest_px: int, generator: torch.Generator
) -> torch.Tensor:
    """Chemical shift: fat appears a little displaced along the readout direction, rows or columns.

    image, tissues: (slices, height, width). One endplate turns thick and dark by it, the other thin.
    Looks without fat signal stay as they are.
    """
    if look.name in _NO_FAT:
        return image
    share = torch.zeros(len(Tissue))
    for tissue, value in _FAT.items():
        share[tissue] = value
    axis, shift = torch.rand(2, generator=generator).tolist()
    fat = image * share[tissues.long()]
    moved = fat.roll(round((2 * shift - 1) * furthest_px), 1 if axis < 0.7 else 2)
    return image - fat + moved


def render(tissues: torch.Tensor, look: Look, pixel_mm: float, generator: torch.Generator) -> torch.Tensor:
    """Grey image of a tissue map.

    tissues: (slices, height, width) integer -> (slices, height, width) float32, about 0 to 1.
    Texture is a fine and a coarse field, scaled tissue by tissue, so that marrow is mottled
    and CSF is smooth in one image and the other way round in the next.
    """
    index = tissues.long()
    spacing = (4.0, pixel_mm, pixel_mm)
    fine = smooth_noise(tissues.shape, spacing, (4.0, 1.2, 1.2), generator)
    coarse = smooth_noise(tissues.shape, spacing, (12.0, 9.0, 9.0), generator)
    return look.grey[index] * (1 + look.texture[index] * (fine + coarse))
