"""From the parent's weights to a candidate's: short, gentle, resumable.

- Batch norms keep the parent's statistics: eight crops of one scan would move them far.
- Half of each batch are corrections, half is replay (see `replay`), for which the parent is the teacher.
- Weights are pulled towards the parent's: pull · Σ (w - w₀)² (L2-SP, Li, Grandvalet and Davoine, ICML 2018).
- A running average of the weights is what is judged and kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.core.engine import Engine
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.corrections.style import Style
from napari_spineseg.datasets.crops import Batch, CropSampler, CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.settings import LearnSettings

_AVERAGE = 0.95
# A model that forgets changes few pixels at first: the mean divergence is small beside the other loss.
_REPLAY_WEIGHT = 20.0
_WARM_UP = 5
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


class TeachingLoss:
    """Corrections' loss + 20 · replay's loss + pull · Σ (w - w₀)².

    The replay's is the Kullback-Leibler divergence from the parent's shares: 0 for the parent itself.
    `hold(network)` says whose weights are pulled, and to where: to what they are then.
    """

    def __init__(self, pull: float) -> None:
        self._pull = pull
        self._pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._recent: list[float] = []

    def hold(self, network: nn.Module, start: nn.Module) -> None:
        """Pull `network` towards the weights of `start`, which has the same shape."""
        pairs = zip(network.parameters(), start.parameters(), strict=True)
        self._pairs = [(w, w0.detach().clone().to(w.device)) for w, w0 in pairs]

    def __call__(self, logits: torch.Tensor, batch: TaughtBatch) -> torch.Tensor:
        """A scalar; logits are (corrections + replay, classes, H, W) float32."""
        count = len(batch.target)
        loss = cross_entropy_dice(logits[:count], batch.target, batch.weight)
        self._recent.append(float(loss.detach()))
        if len(logits) > count:
            away = functional.kl_div(logits[count:].log_softmax(1), batch.shares, reduction="none")
            loss = loss + _REPLAY_WEIGHT * away.sum(1).mean()
        return loss + self._pull * sum((w - w0).square().sum() for w, w0 in self._pairs)

    def since_last(self) -> float | None:
        """Mean of the corrections' loss since this was asked before."""
        recent, self._recent = self._recent, []
        return round(sum(recent) / len(recent), 4) if recent else None


def build_trainer(
    network: nn.Module,
    batches: Callable[[int], TaughtBatch],
    loss: TeachingLoss,
    settings: LearnSettings,
    steps: int,
    every: int,
    folder: Path,
    validate: Callable[[nn.Module], dict],
    device: torch.device,
) -> Trainer:
    """A trainer of a copy of `network`; resumes what it finds in `folder`."""
    chosen = TrainSettings(
        seed=settings.seed,
        steps=steps,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        weight_decay=0,
        warm_up=_WARM_UP,
        average=_AVERAGE,
        validate_every=every,
        save_every=every,
    )
    trainer = Trainer(copy.deepcopy(network), batches, loss, chosen, folder, validate, device)
    loss.hold(trainer.network, network)
    freeze_norms(trainer.network)
    return trainer


def freeze_norms(network: nn.Module) -> None:
    """Keep the running statistics of every batch norm; its scale and shift are still learnt."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def crop_settings(spec: InputSpec, shrink: int = 1, replay: bool = False) -> CropSettings:
    """What a crop is; `shrink` divides its sides where memory is short."""
    height, width = (
        max(1, round(mm / spec.spacing_mm / shrink / spec.stride)) * spec.stride for mm in _CROP_MM
    )
    return CropSettings(
        height_px=height,
        width_px=width,
        neighbours=spec.neighbours,
        anywhere_share=0.1,
        synthetic_share=1.0 if replay else 0.0,
        augment=_REPLAY_AUGMENT if replay else _AUGMENT,
    )
