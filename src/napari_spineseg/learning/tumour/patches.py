"""The patch-extraction module in training: patches with tumours that are painted as they are drawn.

Patches are class-balanced: on a tumour, on a tumour's border, on a look-alike (hard background), or
anywhere. Sizes change from batch to batch. A batch depends on the seed and the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from napari_spineseg.anatomy import Structure
from napari_spineseg.core import appearance, augment
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.tumour.patch import Patch, PatchSettings
from napari_spineseg.learning.tumour.tones import as_whole_slice, bright_at_one

ECHO_AFTER, ECHOES = 40, 4
"""Steps after which a batch comes back, and how often it is learnt from in all."""


@dataclass(frozen=True)
class PatchBatch:
    """Patches with their answers.

    image: (batch, channels, H, W) float32; target: (batch, H, W) int64, 1 = tumour;
    anatomy: (batch, H, W) int64, `Structure` of what is there or was there before the tumour, 255
    where nobody labelled; kind: (batch,) int64, index into `patch.PATCH_CLASSES`.
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
        samples = [Patch(*self._pick(rng), s, offset, rng, generator).make() for offset in offsets]
        images, targets, anatomies, kinds, tones = zip(*samples, strict=True)
        image = appearance.acquire(bright_at_one(torch.stack(images)), s.augment, generator)
        image = as_whole_slice(image, torch.tensor(tones), generator)
        return PatchBatch(image, torch.stack(targets), torch.stack(anatomies), torch.tensor(kinds))

    def _pick(self, rng: np.random.Generator) -> tuple[PreparedVolume, int]:
        """A volume, and one of its slices that shows spine."""
        images, tissues = self._pools
        synthetic = tissues and (not images or rng.random() < self.settings.synthetic_share)
        pool = tissues if synthetic else images
        volume = pool[rng.integers(len(pool))]
        slices = self._slices[volume.name]
        return volume, int(slices[rng.integers(len(slices))])


def _labelled_slices(volume: PreparedVolume) -> np.ndarray:
    """Slices that show bone; those that show the canal too come twice more."""
    bone, canal = ((volume.structures == s).any((1, 2)) for s in (Structure.VERTEBRA, Structure.CANAL))
    both = np.flatnonzero(bone & canal)
    slices = np.concatenate([np.flatnonzero(bone), both, both])
    return slices if len(slices) else np.arange(len(volume.values))
