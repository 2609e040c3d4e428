"""One training patch: where it lies, which tumours and look-alikes are painted into it, and its answers."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.core import appearance, augment
from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.datasets.crops import neighbours_of
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.tumour.tones import tones_of
from napari_spineseg.synthesis.contrast import Look, draw_look, render
from napari_spineseg.synthesis.lesion_shapes import Form
from napari_spineseg.synthesis.lesion_sites import Slab
from napari_spineseg.synthesis.lesions import (
    LOOK_ALIKES,
    TRAINING_FORMS,
    TUMOURS,
    Kind,
    Lesion,
    draw,
    paint,
)
from napari_spineseg.synthesis.tissues import Tissue

PATCH_CLASSES = ("background", "look-alike", "tumour")
_Spot = tuple[float, float]


class PatchSettings(BaseModel):
    """What a training patch is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_mm: float = Field(0.6, gt=0)
    sizes_px: tuple[int, ...] = (96, 128, 160)
    neighbour_mm: tuple[float, float] = (3.0, 5.0)
    alone_share: float = Field(0.1, ge=0, le=1, description="share of patches without neighbouring slices")
    synthetic_share: float = Field(0.55, ge=0, le=1, description="share painted from tissue maps")
    gadolinium_share: float = Field(
        0.2, ge=0, le=1, description="share of painted patches that are contrast-enhanced T1 for certain"
    )
    tumour_share: float = Field(0.42, ge=0, le=1, description="share of patches on a tumour")
    border_share: float = Field(0.18, ge=0, le=1, description="share on a tumour's border")
    hard_share: float = Field(0.25, ge=0, le=1, description="share on a look-alike, without any tumour")
    kinds: tuple[Kind, ...] = TUMOURS
    forms: tuple[Form, ...] = TRAINING_FORMS
    look_alikes: float = Field(0.8, ge=0, description="look-alikes beside a tumour, on average")
    augment: AugmentSettings = AugmentSettings(
        rotation_deg=12, scale=1.2, shear=0.1, warp_mm=1.5, remap_share=0.4, noise=0.07
    )


class Patch:
    """One patch in the making.

    Parameters
    ----------
    volume, index
        Where it is from; `index` is the slice that is labelled.
    offsets
        (H, W, 2) sampling positions around its centre, in pixels of the settings, see `augment.draw_grid`.
    rng, generator
        Every draw comes from these two, in a fixed order.
    """

    def __init__(
        self,
        volume: PreparedVolume,
        index: int,
        settings: PatchSettings,
        offsets: torch.Tensor,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> None:
        self.volume, self.settings, self.rng, self.generator = volume, settings, rng, generator
        self.offsets = offsets * (settings.pixel_mm / volume.spacing_mm)
        self.slices = neighbours_of(volume, index, 1, settings.neighbour_mm, settings.alone_share, rng)
        self.slab = Slab(
            self.volume.structures[self.slices],
            self.volume.structures[self.slices],
            np.asarray(self.slices) * self.volume.slice_mm,
            self.volume.spacing_mm,
        )

    def make(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int, tuple[float, ...]]:
        """Image (channels, H, W), target and anatomy (H, W), patch class, tones (see `as_whole_slice`)."""
        lesions, centre = self._plan()
        box = self._box(centre)
        image, look, tones = self._image(box)
        part = self.slab.part((slice(None), *box))
        part = Slab(image.numpy(), part.structures, part.x_mm, part.pixel_mm, part.origin_mm)
        painted = paint(part, lesions, look)
        place = (centre[0] - box[0].start, centre[1] - box[1].start)
        image = augment.sample(torch.from_numpy(painted.image), place, self.offsets, "bilinear")
        middle = len(self.slices) // 2
        mask = torch.from_numpy((painted.tumours[middle : middle + 1] > 0).astype(np.float32))
        target = augment.sample(mask, place, self.offsets, "bilinear")[0] > 0.5
        kind = 2 if target.any() else int(bool(painted.lesions))
        structures = torch.from_numpy(part.structures[middle : middle + 1].astype(np.float32))
        anatomy = augment.sample(structures, place, self.offsets, "nearest")[0].long()
        return image, target.long(), anatomy, kind, tones

    def _plan(self) -> tuple[list[Lesion], _Spot]:
        """What to paint, and the centre of the patch (row, column)."""
        s, rng = self.settings, self.rng
        share = rng.random()
        on_tumour, on_border = share < s.tumour_share, share < s.tumour_share + s.border_share
        hard = share < s.tumour_share + s.border_share + s.hard_share
        first = None
        if on_border:
            first = self._draw(s.kinds)
        elif hard:
            first = self._draw(LOOK_ALIKES)
        if first is None:
            return [], self._anywhere()
        centre = self._spot(first)
        if on_border and not on_tumour:
            angle, out = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.3)
            centre = (
                centre[0] + out * np.sin(angle) * first.radii[1] / self.volume.spacing_mm,
                centre[1] + out * np.cos(angle) * first.radii[2] / self.volume.spacing_mm,
            )
        # The tumour need not be in the middle: a network would learn to look only there.
        reach = 0.28 * self.offsets.shape[0] * s.pixel_mm / self.volume.spacing_mm
        centre = tuple(c + rng.uniform(-reach, reach) for c in centre)
        more = [self._draw(LOOK_ALIKES) for _ in range(rng.poisson(s.look_alikes))]
        if on_border and rng.random() < 0.25:
            more.append(self._draw(s.kinds))
        others = [m for m in more if m and np.linalg.norm(np.subtract(m.centre, first.centre)) > 15]
        return [first, *others], centre

    def _draw(self, kinds: tuple[Kind, ...]) -> Lesion | None:
        """One of `kinds`; where the slice has no place for the first that comes to mind, another."""
        for kind in self.rng.permutation(np.array(kinds, object)):
            seed = int(self.rng.integers(2**31))
            lesion = draw(kind, self.slab, len(self.slices) // 2, seed, self.settings.forms)
            if lesion is not None:
                return lesion
        return None

    def _spot(self, lesion: Lesion) -> _Spot:
        return lesion.centre[1] / self.volume.spacing_mm, lesion.centre[2] / self.volume.spacing_mm

    def _anywhere(self) -> _Spot:
        structures = self.slab.structures[len(self.slices) // 2]
        spots = np.argwhere(structures[::4, ::4] > 0) * 4
        if not len(spots) or self.rng.random() < 0.3:
            return tuple(self.rng.uniform(0, n) for n in structures.shape)
        return tuple(spots[self.rng.integers(len(spots))] + self.rng.normal(0, 20, 2))

    def _box(self, centre: _Spot) -> tuple[slice, slice]:
        """The pixels that the patch can see."""
        spans = []
        for middle, axis, size in zip(centre, (1, 0), self.slab.structures.shape[1:], strict=True):
            low, high = (float(f(self.offsets[..., axis])) + middle for f in (torch.amin, torch.amax))
            low, high = int(np.clip(low - 2, 0, size - 40)), int(np.clip(high + 3, 40, size))
            spans.append(slice(low, max(high, low + 8)))
        return tuple(spans)

    def _image(self, box: tuple[slice, slice]) -> tuple[torch.Tensor, str, tuple[float, ...]]:
        """Grey box (channels, h, w), which contrast it has, and tones of the box and the whole slice."""
        middle = self.slices[len(self.slices) // 2]
        values = self.volume.values[self.slices][:, *box]
        whole = self.volume.values[middle, ::2, ::2]
        if self.volume.kind == "tissues":
            enhanced = self.rng.random() < self.settings.gadolinium_share
            look = draw_look(self.generator, "Gd T1" if enhanced else None)
            tissues = torch.from_numpy(without_lesions(values))
            image = appearance.soften(render(tissues, look, self.volume.spacing_mm, self.generator))
            return image, look.name, tones_of(image, _plain(whole, look))
        image, coarse = (torch.from_numpy(v.astype(np.float32) / 255) for v in (values, whole))
        if self.rng.random() >= self.settings.augment.remap_share:
            return image, "T2", tones_of(image, coarse)
        structures = torch.from_numpy(self.slab.structures[:, *box].astype(np.float32))
        state = self.generator.get_state()
        image = appearance.remap_contrast(image, structures, self.generator)
        after = self.generator.get_state()
        # The same curves once more, for the whole slice
        self.generator.set_state(state)
        flat = torch.from_numpy(self.volume.structures[middle : middle + 1, ::2, ::2].astype(np.float32))
        coarse = appearance.remap_contrast(coarse[None], flat, self.generator)[0]
        self.generator.set_state(after)
        return image, "random", tones_of(image, coarse)


def without_lesions(tissues: np.ndarray) -> np.ndarray:
    """Tissue maps hold round spots of unnamed change in bone: here only what is painted is a lesion."""
    return np.where(tissues == Tissue.LESION, np.uint8(Tissue.MARROW), tissues)


def _plain(tissues: np.ndarray, look: Look) -> torch.Tensor:
    return look.grey[torch.from_numpy(tissues).long()]
