"""Training crops from prepared volumes: which slice, which place, and what happened to it.

A batch depends on the seed and the step alone, so a run that was killed goes on as if it had not
been.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import Structure
from napari_spineseg.core import appearance, augment
from napari_spineseg.core.artefacts import draw_voids
from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.datasets.planes import SheetSettings, View, draw_sheet, positions
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.synthesis.contrast import degenerate, draw_look, render, shift_fat
from napari_spineseg.synthesis.degeneration import change_endplates, darken_discs, narrow_canal
from napari_spineseg.synthesis.texture import lend_texture

UNLABELLED = 255


class CropSettings(BaseModel):
    """What a training sample is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    height_px: int = Field(384, gt=0)
    width_px: int = Field(256, gt=0)
    neighbours: int = Field(1, ge=0)
    neighbour_mm: tuple[float, float] = (2.5, 5.5)
    alone_share: float = Field(0.1, ge=0, le=1, description="share of samples whose neighbours are missing")
    anywhere_share: float = Field(
        0.2, ge=0, le=1, description="share of crops that ignore where the spine is"
    )
    inside: bool = Field(
        False, description="keep crops inside the image, so that its borders are seen where they are"
    )
    synthetic_share: float = Field(0.5, ge=0, le=1, description="share of samples painted from tissue maps")
    degenerate_share: float = Field(
        0.0, ge=0, le=1, description="share of painted samples whose discs are as dark as their endplates"
    )
    worn_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of samples whose discs are darkened to their endplates, as many whose canal "
        "loses its fluid in places, and as many with changed endplates",
    )
    texture_share: float = Field(
        0.0, ge=0, le=1, description="share of painted samples that borrow a real slice's texture"
    )
    lateral_share: float = Field(
        0.0, ge=0, le=1, description="share of painted samples from slices beside the middle of the spine"
    )
    sheet: SheetSettings = SheetSettings()
    augment: AugmentSettings = AugmentSettings()


@dataclass(frozen=True)
class Batch:
    """Crops with their answers.

    image: (batch, channels, H, W) float32; target: (batch, H, W) int64, 255 where unlabelled;
    weight: (batch, H, W) float32, how much each pixel counts.
    """

    image: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device, the image in channels-last layout."""
        image = self.image.to(device, memory_format=torch.channels_last, non_blocking=True)
        return Batch(image, *(t.to(device, non_blocking=True) for t in (self.target, self.weight)))

    @staticmethod
    def joined(parts: list[Batch]) -> Batch:
        """Several batches as one."""
        return Batch(*(torch.cat([getattr(p, n) for p in parts]) for n in ("image", "target", "weight")))


class CropSampler:
    """Draws batches. `sampler.batch(step, count)` is a pure function of its arguments and the seed."""

    def __init__(self, volumes: list[PreparedVolume], settings: CropSettings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self._images = [v for v in volumes if v.kind == "image"]
        self._tissues = [v for v in volumes if v.kind == "tissues"]
        self._spots = {v.name: _labelled_spots(v) for v in volumes}
        self._lateral = {v.name: _lateral_slices(v) for v in self._tissues}

    def batch(self, step: int, count: int) -> Batch:
        """The batch of a step."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        size = (self.settings.height_px, self.settings.width_px)
        offsets = augment.draw_grid(count, size, 0.5, self.settings.augment, generator)
        samples = [self._sample(offset, generator) for offset in offsets]
        images, targets, weights = (torch.stack(part) for part in zip(*samples, strict=True))
        if self.settings.augment.void_share:
            hidden, rim = draw_voids(count, size, self.settings.augment.void_share, generator)
            images = (images + rim[:, None]).masked_fill(hidden[:, None], 0)
            targets = targets.masked_fill(hidden, UNLABELLED)
        image = appearance.acquire(images, self.settings.augment, generator)
        image = appearance.standardise(image, generator)
        if self.settings.augment.padded_share:
            outside = augment.draw_padding(count, size, self.settings.augment, generator)
            # Inference clips a slice's padding to the darkest of its tissue.
            darkest = image.amin((2, 3), keepdim=True)
            image = torch.where(outside[:, None], darkest, image)
            targets = targets.masked_fill(outside, 0)
        return Batch(image, targets, weights)

    def _sample(
        self, offsets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Image (channels, H, W), target (H, W) and weight (H, W) of one crop."""
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        synthetic = self._tissues and (not self._images or rng.random() < self.settings.synthetic_share)
        pool = self._tissues if synthetic else self._images
        volume = pool[rng.integers(len(pool))]
        index, centre = self._place(volume, rng)
        s = self.settings
        slices = neighbours_of(volume, index, s.neighbours, s.neighbour_mm, s.alone_share, rng)
        view = self._view(volume, slices, centre, offsets, rng)
        labels = view.labels(volume.structures)
        if volume.kind == "tissues":
            image = self._painted(view, volume, rng, generator)
            share = self.settings.texture_share if self._images else 0.0
            if share and rng.random() < share:
                image = lend_texture(image, self._real_slice(offsets, rng), generator)
        else:
            thickness = int(rng.choice([0, 0, 1, 2])) if volume.slice_mm < 1.5 else 0
            image = view.grey(volume.values, thickness)
            if rng.random() < self.settings.augment.remap_share:
                image = appearance.remap_contrast(image, labels, generator)
        image = self._worn(image, labels, rng, generator)
        middle = len(labels) // 2
        if volume.weights is None:
            return image, labels[middle].long(), torch.ones(offsets.shape[:2])
        return image, labels[middle].long(), view.labels(volume.weights)[middle]

    def _view(
        self,
        volume: PreparedVolume,
        slices: list[int],
        centre: tuple[float, float],
        offsets: torch.Tensor,
        rng: np.random.Generator,
    ) -> View:
        """These slices, or sheets beside them."""
        sheet = self.settings.sheet
        if not sheet.share or rng.random() >= sheet.share:
            return View(slices, centre, offsets)
        away = draw_sheet(offsets.shape[:2], volume.spacing_mm, sheet, rng) / volume.slice_mm
        return View(slices, centre, offsets, positions(slices, len(volume.values), away))

    def _painted(
        self, view: View, volume: PreparedVolume, rng: np.random.Generator, generator: torch.Generator
    ) -> torch.Tensor:
        """Tissues in a contrast drawn anew, (channels, H, W)."""
        tissues = view.painted_from(volume.values)
        look, shift = draw_look(generator), self.settings.augment.chemical_shift_px
        if self.settings.degenerate_share and rng.random() < self.settings.degenerate_share:
            look = degenerate(look, generator)
        image = render(tissues, look, volume.spacing_mm, generator)
        if shift:
            image = shift_fat(image, tissues, look, shift, generator)
        return view.mixed(appearance.soften(image))

    def _real_slice(self, offsets: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """A crop around the spine of any real slice, (1, H, W), 0..1."""
        volume = self._images[rng.integers(len(self._images))]
        index, centre = self._place(volume, rng)
        grey = torch.from_numpy(volume.values[index : index + 1]).float() / 255
        return augment.sample(grey, centre, offsets, "bilinear")

    def _worn(
        self, image: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator, generator: torch.Generator
    ) -> torch.Tensor:
        """Sometimes with changed endplates, with dark discs, with a narrow canal."""
        for wear in (change_endplates, darken_discs, narrow_canal):
            if self.settings.worn_share and rng.random() < self.settings.worn_share:
                image = wear(image, labels, generator)
        return image

    def _place(self, volume: PreparedVolume, rng: np.random.Generator) -> tuple[int, tuple[float, float]]:
        """A slice, and where the crop's centre is: mostly on the spine, sometimes anywhere."""
        index = self._index(volume, rng)
        spots = self._spots[volume.name]
        height, width = volume.values.shape[1:]
        if rng.random() < self.settings.anywhere_share or not len(spots):
            row, column = rng.uniform(0, height), rng.uniform(0, width)
        else:
            row, column = spots[rng.integers(len(spots))] + rng.normal(0, (20, 40))
        if self.settings.inside:
            row = _inside(row, self.settings.height_px, height)
            column = _inside(column, self.settings.width_px, width)
        return index, (row, column)

    def _index(self, volume: PreparedVolume, rng: np.random.Generator) -> int:
        lateral = self._lateral.get(volume.name, ())
        if self.settings.lateral_share and len(lateral) and rng.random() < self.settings.lateral_share:
            return int(lateral[rng.integers(len(lateral))])
        return int(rng.integers(len(volume.values)))


def neighbours_of(
    volume: PreparedVolume,
    index: int,
    count: int,
    apart_mm: tuple[float, float],
    alone_share: float,
    rng: np.random.Generator,
) -> list[int]:
    """Slice `index` between `count` neighbours to either side; half the time from right to left.

    They are `apart_mm` (from, to) apart; in a share of the draws (`alone_share`) there are none, and the
    slice itself stands for them, as at the border of a volume the last slice does.
    """
    if rng.random() < alone_share:
        return [index] * (2 * count + 1)
    step = max(1, round(rng.uniform(*apart_mm) / volume.slice_mm))
    last = len(volume.values) - 1
    found = [min(max(index + step * k, 0), last) for k in range(-count, count + 1)]
    return found[::-1] if rng.random() < 0.5 else found


def _inside(centre: float, crop: int, whole: int) -> float:
    """The nearest centre at which a crop does not leave the image; the middle, if it is larger."""
    return float(np.clip(centre, crop / 2, whole - crop / 2)) if whole > crop else whole / 2


def _lateral_slices(volume: PreparedVolume) -> np.ndarray:
    """Slices through the sides of the bodies: some vertebra, far less than in the middle of the spine."""
    area = (volume.structures == Structure.VERTEBRA).sum((1, 2))
    return np.flatnonzero((area > 0) & (area < 0.6 * area.max()))


def _labelled_spots(volume: PreparedVolume) -> np.ndarray:
    """(n, 2) rows and columns where the spine is in any slice, thinned."""
    flat = ((volume.structures > 0) & (volume.structures != UNLABELLED)).any(0)
    return np.argwhere(flat)[::16]
