"""Whole scans with tumours of known place: held-out patients, held-out seeds and outlines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Structure
from napari_spineseg.core import appearance
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.tumour.patch import without_lesions
from napari_spineseg.scan import Scan
from napari_spineseg.synthesis.contrast import draw_look, render
from napari_spineseg.synthesis.lesion_shapes import Form
from napari_spineseg.synthesis.lesion_sites import Slab
from napari_spineseg.synthesis.lesions import LOOK_ALIKES, TUMOURS, Kind, paint, scatter

LOOKS = {"image": ("T2", "random"), "tissues": ("Gd T1", "T1", "STIR")}
"""Contrasts that each kind of volume is shown in."""
_TOP = 1.3


@dataclass(frozen=True, eq=False)
class Case:
    """A scan with the truth.

    Attributes
    ----------
    scan
        uint8, sagittal.
    tumours
        (slices, height, width) uint8 in the sagittal view: n where the n-th tumour is.
    levels
        The same shape: the anatomy, one number for all vertebrae and one for all discs.
    kinds
        Of the tumours, in the order of their numbers.
    """

    name: str
    look: str
    scan: Scan
    tumours: np.ndarray
    levels: np.ndarray
    kinds: tuple[Kind, ...]


def cases(
    volumes: list[PreparedVolume], seed: int, forms: tuple[Form, ...], tumours: bool = True
) -> Iterator[Case]:
    """One case a volume and contrast: one to three tumours (or none), and two to four look-alikes."""
    for number, volume in enumerate(volumes):
        for n, look in enumerate(LOOKS[volume.kind]):
            yield painted(volume, look, seed * 10_007 + number * 101 + n, forms, tumours)


def painted(
    volume: PreparedVolume, look: str, seed: int, forms: tuple[Form, ...], tumours: bool = True
) -> Case:
    """Paint one case. The same arguments give the same voxels."""
    return painted_on(shown(volume, look, seed), volume, look, seed, forms, tumours)


def painted_on(
    image: np.ndarray,
    volume: PreparedVolume,
    look: str,
    seed: int,
    forms: tuple[Form, ...],
    tumours: bool = True,
) -> Case:
    """Paint one case on an image of `volume` (see `shown`), which stays as it is."""
    rng = np.random.default_rng([seed, 3])
    kinds = list(rng.choice(np.array(LOOK_ALIKES, object), rng.integers(2, 5)))
    if tumours:
        kinds = [*rng.choice(np.array(TUMOURS, object), rng.integers(1, 4)), *kinds]
    x = np.arange(len(image)) * volume.slice_mm
    slab = Slab(image, volume.structures, x, volume.spacing_mm)
    done = paint(slab, scatter(slab, kinds, seed, forms), look)
    voxels = (done.image / _TOP * 255).clip(0, 255).astype(np.uint8)
    return Case(
        f"{volume.name} {look}",
        look,
        Scan(voxels, volume.affine, name=volume.name),
        done.tumours,
        plain_levels(volume.structures),
        tuple(lesion.kind for lesion in done.painted_tumours),
    )


def shown(volume: PreparedVolume, look: str, seed: int) -> np.ndarray:
    """(slices, height, width) float32 of a volume in a contrast, without lesions."""
    generator = torch.Generator().manual_seed(seed)
    if volume.kind == "tissues":
        tissues = torch.from_numpy(without_lesions(volume.values))
        image = appearance.soften(render(tissues, draw_look(generator, look), volume.spacing_mm, generator))
        noise = 0.03 * torch.randn(image.shape, generator=generator)
        return (image + noise).abs().numpy()
    image = torch.from_numpy(volume.values.astype(np.float32) / 255)
    if look == "random":
        image = appearance.remap_contrast(image, torch.from_numpy(volume.structures).float(), generator)
    return image.numpy()


def plain_levels(structures: np.ndarray) -> np.ndarray:
    """Structures as `levels` numbers without levels: enough to say how far a finding is from the spine."""
    table = np.zeros(256, np.uint16)
    table[Structure.VERTEBRA], table[Structure.DISC], table[Structure.CANAL] = (
        1,
        FIRST_DISC_LABEL,
        CANAL_LABEL,
    )
    return table[structures]
