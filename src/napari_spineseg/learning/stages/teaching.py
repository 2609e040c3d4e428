"""What is taught: batches, half of them crops of corrections, half of them replay that the parent answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.core.engine import Engine
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.style import Style
from napari_spineseg.datasets.crops import Batch, CropSampler, CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.reading import class_table
from napari_spineseg.learning.stages.preparing import Course
from napari_spineseg.learning.stages.replay import replay_maps
from napari_spineseg.learning.tumour.replay import TumourReplay, looks_for_tumours_alone, square

_CROP_MM = (192.0, 128.0)
# Milder than in pretraining: what is to be learnt is these scans' look.
_AUGMENT = AugmentSettings(
    rotation_deg=10, scale=1.15, shear=0.08, warp_mm=2, remap_share=0.0, blur_share=0.3, noise=0.05, bias=0.4
)
_REPLAY_AUGMENT = AugmentSettings(rotation_deg=10, scale=1.2, shear=0.1, noise=0.1)


@dataclass(frozen=True)
class TaughtBatch:
    """Corrections first, then replay.

    image: (batch, channels, H, W); target, weight: (corrections, H, W); shares: (replay, classes, H, W), what
    the parent said of the last ones.
    """

    image: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    shares: torch.Tensor

    def to(self, device: torch.device) -> TaughtBatch:
        """The same batch on a device."""
        image = self.image.to(device, memory_format=torch.channels_last, non_blocking=True)
        rest = (t.to(device, non_blocking=True) for t in (self.target, self.weight, self.shares))
        return TaughtBatch(image, *rest)


class LessonSampler(CropSampler):
    """Crops of corrected scans: only slices that may be learnt from, mostly labelled ones."""

    def __init__(
        self,
        volumes: list[PreparedVolume],
        slices: dict[str, Sequence[int]],
        settings: CropSettings,
        seed: int,
    ) -> None:
        super().__init__(volumes, settings, seed)
        self._slices = {name: list(those) for name, those in slices.items()}

    def _place(self, volume: PreparedVolume, rng: np.random.Generator) -> tuple[int, tuple[float, float]]:
        _, centre = super()._place(volume, rng)
        return int(rng.choice(self._slices[volume.name])), centre


class Replay(Protocol):
    """Batches by step and number of samples."""

    def batch(self, step: int, count: int) -> Batch:
        """The batch of a step."""


@dataclass(frozen=True)
class Teacher:
    """The parent, who answers for the replay: in the style of the corrections where they have one."""

    parent: Engine
    style: Style | None = None
    pixel_mm: float = 1.0

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(n, channels, H, W) -> how likely each class is, (n, classes, H, W) float32."""
        logits = self.parent(images)
        if self.style is None:
            return logits.softmax(1).cpu()
        return self.style.shares(logits.argmax(1).cpu().numpy(), self.pixel_mm)


class TeachingSampler:
    """Joins corrections and replay into batches; the teacher answers for the replay.

    `sampler.batch(step)` is a pure function of the step.
    """

    def __init__(self, lessons: Replay, replay: Replay | None, count: int, teacher: Teacher) -> None:
        self._lessons, self._replay, self._teacher = lessons, replay, teacher
        self._replayed = count // 2 if replay is not None else 0
        self._count = count - self._replayed

    def batch(self, step: int) -> TaughtBatch:
        """The batch of a step."""
        lesson = self._lessons.batch(step, self._count)
        if self._replay is None or not self._replayed:
            none = torch.zeros(0, 1, *lesson.image.shape[2:])
            return TaughtBatch(lesson.image, lesson.target, lesson.weight, none)
        replay = self._replay.batch(step, self._replayed)
        shares = self._teacher(replay.image)
        joined = Batch.joined([lesson, replay])
        return TaughtBatch(joined.image, lesson.target, lesson.weight, shares)


def teaching_of(course: Course, shrink: int) -> TeachingSampler:
    """What a run teaches; `shrink` divides the sides of its crops where memory is short."""
    spec, seed = course.parent.card.input, course.settings.seed
    crops, replay = _crops_and_replay(spec, seed + 1, class_table(course.parent.card), shrink)
    lessons = LessonSampler(course.book.drawn(), course.book.split.learn, crops, seed)
    style = course.style and course.style.style
    teacher = Teacher(course.parent.reader.engine, style, spec.spacing_mm)
    return TeachingSampler(lessons, replay, course.settings.batch, teacher)


def _crops_and_replay(
    spec: InputSpec, seed: int, table: np.ndarray, shrink: int
) -> tuple[CropSettings, Replay]:
    """How lessons are cropped, and what is replayed beside them in crops of the same size."""
    crops = _crop_settings(spec, shrink, _AUGMENT, synthetic_share=0.0)
    if looks_for_tumours_alone(table):
        return square(crops, spec, shrink), TumourReplay(spec, seed, shrink)
    replayed = _crop_settings(spec, shrink, _REPLAY_AUGMENT, synthetic_share=1.0)
    return crops, CropSampler(replay_maps(spec, table), replayed, seed)


def _crop_settings(
    spec: InputSpec, shrink: int, augment: AugmentSettings, synthetic_share: float
) -> CropSettings:
    height, width = (spec.pixels_of(mm, shrink) for mm in _CROP_MM)
    return CropSettings(
        height_px=height,
        width_px=width,
        neighbours=spec.neighbours,
        anywhere_share=0.1,
        synthetic_share=synthetic_share,
        augment=augment,
    )
