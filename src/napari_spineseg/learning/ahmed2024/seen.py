"""Slices as they are, for the protocol that tests on the neighbours of what was learnt.

Nothing is turned, warped, averaged or made noisy: the published recipe does none of it either, and a
test slice .9 mm beside a training slice rewards remembering that one exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.datasets.crops import UNLABELLED, Batch
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.ahmed2024.parts import rows_of_step
from napari_spineseg.learning.ahmed2024.slices import SliceSet

CROP_PX = (384, 256)
"""Height and width of what is learnt from at once, at most: a spine fills no more of a slice."""

# Where the middle of a crop lies around a labelled pixel, standard deviation in rows and columns.
_SPREAD_PX = (20, 40)


@dataclass(frozen=True)
class SeenFeed:
    """Batches of slices as `predict` shows them, cropped around the spine; every pass sees each once."""

    slices: SliceSet
    volumes: Sequence[PreparedVolume]
    train: np.ndarray
    spec: InputSpec
    batch: int
    seed: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step: a pure function of it and the seed."""
        rng = np.random.default_rng((self.seed, step))
        rows = rows_of_step(self.train, step, self.batch, self.seed)
        parts = [self._crop(row, rng) for row in rows]
        image, target = (torch.stack(part) for part in zip(*parts, strict=True))
        return Batch(image, target, torch.ones(target.shape))

    def _crop(self, row: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (channels, h, w) and structures (h, w) of one slice, where its spine is."""
        volume, index = self.volumes[self.slices.stack[row]], int(self.slices.place[row])
        image = network_input(volume.values, index, volume.slice_mm, self.spec)[0]
        labels = volume.structures[index]
        padded = np.full(image.shape[1:], UNLABELLED, labels.dtype)
        padded[: labels.shape[0], : labels.shape[1]] = labels
        spine = np.argwhere((labels > 0) & (labels != UNLABELLED))
        middle = spine[rng.integers(len(spine))] + rng.normal(0, _SPREAD_PX)
        rows, columns = (
            _stretch(float(at), crop, whole)
            for at, crop, whole in zip(middle, CROP_PX, padded.shape, strict=True)
        )
        return image[:, rows, columns], torch.from_numpy(padded[rows, columns]).long()


def _stretch(centre: float, crop: int, whole: int) -> slice:
    """`crop` pixels around `centre` that do not leave the image; all, where it is smaller."""
    first = round(np.clip(centre - crop / 2, 0, max(0, whole - crop)))
    return slice(first, first + min(crop, whole))
