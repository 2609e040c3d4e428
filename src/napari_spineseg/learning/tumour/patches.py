"""The patch-extraction module in training: patches with tumours that are painted as they are drawn.

Patches are class-balanced: on a tumour, on a tumour's border, on a look-alike (hard background), or
anywhere. Sizes change from batch to batch. A batch depends on the seed and the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import Structure
from napari_spineseg.core import augment
from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.tumour.tones import as_whole_slice, bright_at_one, tones_of
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
ECHO_AFTER, ECHOES = 40, 4
"""Steps after which a batch comes back, and how often it is learnt from in all."""
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


@dataclass(frozen=True)
class PatchBatch:
    """Patches with their answers.

    image: (batch, channels, H, W) float32; target: (batch, H, W) int64, 1 = tumour;
    anatomy: (batch, H, W) int64, `Structure` of what is there or was there before the tumour, 255
    where nobody labelled; kind: (batch,) int64, index into `PATCH_CLASSES`.
    """

    image: torch.Tensor
    target: torch.Tensor
    anatomy: torch.Tensor
    kind: torch.Tensor

    def to(self, device: torch.device) -> PatchBatch:
        """The same batch on a device, the image in channels-last layout."""
        image = self.image.to(device, memory_format=torch.channels_last)
        return PatchBatch(image, *(t.to(device) for t in (self.target, self.anatomy, self.kind)))

    @staticmethod
    def joined(parts: list[PatchBatch]) -> PatchBatch:
        """Several batches of one patch size as one."""
        return PatchBatch(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(PatchBatch)))


class PatchSampler:
    """Draws batches. `sampler.batch(step, count)` is a pure function of its arguments and the seed.

    `count` is the number of patches of the middle size; of smaller ones there are more, of larger
    ones fewer, so that every step costs about the same.
    """

    def __init__(self, volumes: list[PreparedVolume], settings: PatchSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self._pools = [[v for v in volumes if v.kind == kind] for kind in ("image", "tissues")]
        self._slices = {v.name: _labelled_slices(v) for v in volumes}
        self._kept: dict[tuple[int, int], PatchBatch] = {}

    def batch(self, step: int, count: int) -> PatchBatch:
        """The batch of a step: new, or one of the last `ECHO_AFTER` once more.

        Painting a patch costs more than learning from it, so each is learnt from several times (data
        echoing, Choi et al. 2019); every other time its neighbouring slices have changed sides.
        """
        block, at = divmod(step, ECHOES * ECHO_AFTER)
        echo, index = at // ECHO_AFTER, block * ECHO_AFTER + at % ECHO_AFTER
        batch = self._kept.pop((index, count), None) or self.draw(index, count)
        if echo < ECHOES - 1:
            self._kept[index, count] = batch
        return replace(batch, image=batch.image.flip(1)) if echo % 2 else batch

    def draw(self, step: int, count: int) -> PatchBatch:
        """A new batch."""
        s = self.settings
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        rng = np.random.default_rng([self.seed, step])
        size = int(s.sizes_px[rng.integers(len(s.sizes_px))])
        middle = s.sizes_px[len(s.sizes_px) // 2]
        count = max(2, round(count * middle**2 / size**2))
        offsets = augment.draw_grid(count, (size, size), s.pixel_mm, s.augment, generator)
        samples = [_Sample(self, offset, rng, generator).make() for offset in offsets]
        images, targets, anatomies, kinds, tones = zip(*samples, strict=True)
        image = augment.acquire(bright_at_one(torch.stack(images)), s.augment, generator)
        image = as_whole_slice(image, torch.tensor(tones), generator)
        return PatchBatch(image, torch.stack(targets), torch.stack(anatomies), torch.tensor(kinds))

    def pick(self, rng: np.random.Generator) -> tuple[PreparedVolume, int]:
        """A volume, and one of its slices that shows spine."""
        images, tissues = self._pools
        synthetic = tissues and (not images or rng.random() < self.settings.synthetic_share)
        pool = tissues if synthetic else images
        volume = pool[rng.integers(len(pool))]
        slices = self._slices[volume.name]
        return volume, int(slices[rng.integers(len(slices))])


class _Sample:
    """One patch in the making."""

    def __init__(
        self,
        sampler: PatchSampler,
        offsets: torch.Tensor,
        rng: np.random.Generator,
        generator: torch.Generator,
    ) -> None:
        self.settings, self.rng, self.generator = sampler.settings, rng, generator
        self.volume, index = sampler.pick(rng)
        self.offsets = offsets * (self.settings.pixel_mm / self.volume.spacing_mm)
        self.slices = self._neighbours(index)
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

    def _neighbours(self, index: int) -> list[int]:
        if self.rng.random() < self.settings.alone_share:
            return [index] * 3
        step = max(1, round(self.rng.uniform(*self.settings.neighbour_mm) / self.volume.slice_mm))
        last = len(self.volume.values) - 1
        found = [min(max(index + step * k, 0), last) for k in (-1, 0, 1)]
        return found[::-1] if self.rng.random() < 0.5 else found

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
            image = augment.soften(render(tissues, look, self.volume.spacing_mm, self.generator))
            return image, look.name, tones_of(image, _plain(whole, look))
        image, coarse = (torch.from_numpy(v.astype(np.float32) / 255) for v in (values, whole))
        if self.rng.random() >= self.settings.augment.remap_share:
            return image, "T2", tones_of(image, coarse)
        structures = torch.from_numpy(self.slab.structures[:, *box].astype(np.float32))
        state = self.generator.get_state()
        image = augment.remap_contrast(image, structures, self.generator)
        after = self.generator.get_state()
        # The same curves once more, for the whole slice
        self.generator.set_state(state)
        flat = torch.from_numpy(self.volume.structures[middle : middle + 1, ::2, ::2].astype(np.float32))
        coarse = augment.remap_contrast(coarse[None], flat, self.generator)[0]
        self.generator.set_state(after)
        return image, "random", tones_of(image, coarse)


def _labelled_slices(volume: PreparedVolume) -> np.ndarray:
    """Slices that show bone; those that show the canal too come twice more."""
    bone, canal = ((volume.structures == s).any((1, 2)) for s in (Structure.VERTEBRA, Structure.CANAL))
    both = np.flatnonzero(bone & canal)
    slices = np.concatenate([np.flatnonzero(bone), both, both])
    return slices if len(slices) else np.arange(len(volume.values))


def without_lesions(tissues: np.ndarray) -> np.ndarray:
    """Tissue maps hold round spots of unnamed change in bone: here only what is painted is a lesion."""
    return np.where(tissues == Tissue.LESION, np.uint8(Tissue.MARROW), tissues)


def _plain(tissues: np.ndarray, look: Look) -> torch.Tensor:
    return look.grey[torch.from_numpy(tissues).long()]
