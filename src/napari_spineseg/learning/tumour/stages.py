"""The stages of a tumour model's training, each resumable by itself.

Reconstruct masked patches, tell patches with tumours from look-alikes and background, then segment:
with many tumours first, then with few, as often as the recipe says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn
from torch.nn import functional

from napari_spineseg.core.enhanced_sgd import OptimiserSettings, OptimiserTrainer
from napari_spineseg.core.losses import cross_entropy_dice, hardest_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.networks.penn import (
    PENN,
    AnatomyAided,
    PatchClassifier,
    PatchReconstruction,
    mask_blocks,
)
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.blend import blended
from napari_spineseg.learning.tumour.patch import PATCH_CLASSES, PatchSettings
from napari_spineseg.learning.tumour.patches import PatchBatch, PatchSampler
from napari_spineseg.learning.tumour.recipe import LossName, TumourSettings
from napari_spineseg.progress import Control

STRUCTURES = ("background", "tumour")
"""Classes of the network, in the order of its channels; the helping head's come behind them."""
_MASKED_SHARE, _BLOCK = 0.5, 16
_NORM_BATCHES = 10


class Sampler(Protocol):
    """Where batches come from: a `PatchSampler`, or what stands in for one."""

    def batch(self, step: int, count: int) -> PatchBatch:
        """The batch of a step."""

    def draw(self, step: int, count: int) -> PatchBatch:
        """A new batch; only a stage that keeps a share of the weights before it asks for one."""


def train_stages(
    settings: TumourSettings,
    volumes: list[PreparedVolume],
    out: Path,
    validate: Callable[[nn.Module], dict[str, Any]] | None = None,
    device: str = "cpu",
    control: Control = Control(),
    sampler_of: Callable[[list[PreparedVolume], PatchSettings, int], Sampler] = PatchSampler,
) -> nn.Module:
    """The stages one after the other; the averaged network of the last.

    Parameters
    ----------
    out
        Where the stages keep their state and logs, a folder each; what is found there is resumed.
    validate
        Network to JSON-able figures, while it learns to segment.
    sampler_of
        What makes the batches, from volumes, patch settings and a seed.
    """
    torch.manual_seed(settings.train.seed)
    network: PENN = build_network(settings.network, settings.arguments)
    training = _Training(settings, volumes, out, device, control, sampler_of)
    training.reconstruct(network)
    training.classify(network)
    aided = AnatomyAided(network)
    for number, stage in enumerate(_stages(settings, out)):
        training.segment(aided, number, stage, validate)
    return aided.eval().network


class _Segmenting(NamedTuple):
    """One of the stages that segment."""

    patches: PatchSettings
    train: OptimiserSettings
    folder: Path
    loss: LossName = "pooled"
    keep: float = 0.0


def _stages(settings: TumourSettings, out: Path) -> list[_Segmenting]:
    found = [_Segmenting(settings.patches, settings.train, out)]
    later = [("last", settings.last), *((f"finish{n}", s) for n, s in enumerate(settings.finish, 1))]
    for name, more in later:
        if more is not None:
            given = more.model_dump(exclude={"patches", "loss", "keep"}, exclude_none=True)
            train = settings.train.model_copy(update={"stop_after": None, **given})
            found.append(_Segmenting(more.patches, train, out / name, more.loss, more.keep))
    return found


@dataclass(frozen=True)
class _Training:
    """What all stages share. Each trains a network in place."""

    settings: TumourSettings
    volumes: list[PreparedVolume]
    out: Path
    device: str
    control: Control
    sampler_of: Callable[[list[PreparedVolume], PatchSettings, int], Sampler]

    def reconstruct(self, network: PENN) -> None:
        """Half of a patch is blanked in blocks, and painted again from the rest.

        The patches show no painted lesion: any unlabelled scan would do.
        """
        s = self.settings
        plain = s.patches.model_copy(update={"tumour_share": 0.0, "border_share": 0.0, "hard_share": 0.0})
        sampler = self.sampler_of(self.volumes, plain, s.train.seed + 1)

        def masked(step: int) -> PatchBatch:
            batch = sampler.batch(step, s.train.batch)
            generator = torch.Generator().manual_seed(step)
            blanked, mask = mask_blocks(batch.image, _MASKED_SHARE, _BLOCK, generator)
            # The answer travels in `target`: the whole patch, and in its last channel where it was blanked.
            return replace(batch, image=blanked, target=torch.cat([batch.image, mask], 1))

        def loss(painted: torch.Tensor, batch: PatchBatch) -> torch.Tensor:
            whole, mask = batch.target[:, :-1], batch.target[:, -1:]
            return ((painted - whole).square() * mask).sum() / (mask.sum() * whole.shape[1]).clamp_min(1)

        self._pretrain(PatchReconstruction(network), masked, loss, s.reconstruct_steps, "reconstruct")

    def classify(self, network: PENN) -> None:
        """Is there a tumour in the patch, a look-alike, or neither?"""
        s = self.settings
        sampler = self.sampler_of(self.volumes, s.patches, s.train.seed + 2)
        self._pretrain(
            PatchClassifier(network, len(PATCH_CLASSES)),
            lambda step: sampler.batch(step, s.train.batch),
            lambda logits, batch: functional.cross_entropy(logits, batch.kind),
            s.classify_steps,
            "classify",
        )

    def _pretrain(
        self,
        task: PatchReconstruction | PatchClassifier,
        batches: Callable[[int], PatchBatch],
        loss: Callable[[torch.Tensor, PatchBatch], torch.Tensor],
        steps: int,
        name: str,
    ) -> None:
        """Train `task` for `steps` and leave the averaged weights in the network that it wraps."""
        if not steps:
            return
        train = self.settings.train
        train = train.model_copy(
            update={"steps": steps, "validate_every": steps, "warm_up": min(train.warm_up, steps // 5)}
        )
        trainer = OptimiserTrainer(task, batches, loss, train, self.out / name, device=self.device)
        task.network.load_state_dict(trainer.run(self.control).network.state_dict())

    def segment(
        self,
        aided: AnatomyAided,
        number: int,
        stage: _Segmenting,
        validate: Callable[[nn.Module], dict[str, Any]] | None,
    ) -> None:
        """Tumour or not, pixel by pixel, beside the anatomy."""
        before = copy.deepcopy(aided)
        sampler = self.sampler_of(self.volumes, stage.patches, self.settings.train.seed + 10 * number)
        trainer = OptimiserTrainer(
            aided,
            lambda step: sampler.batch(step, stage.train.batch),
            lambda logits, batch: _loss(logits, batch, stage.loss, self.settings.anatomy_weight),
            stage.train,
            stage.folder,
            None if validate is None else lambda averaged: validate(averaged.network),
            self.device,
        )
        after = blended((before, trainer.run(self.control)), (stage.keep, 1 - stage.keep))
        aided.load_state_dict(after.state_dict())
        if stage.keep:
            measure_norms(aided, [sampler.draw(step, stage.train.batch) for step in range(_NORM_BATCHES)])


def _loss(logits: torch.Tensor, batch: PatchBatch, name: LossName, anatomy_weight: float) -> torch.Tensor:
    """Loss of the tumour, and of the anatomy (behind it) at a lower weight."""
    classes = len(STRUCTURES)
    loss = (hardest_dice if name == "hardest" else cross_entropy_dice)(logits[:, :classes], batch.target)
    if not anatomy_weight:
        return loss
    return loss + anatomy_weight * cross_entropy_dice(logits[:, classes:], batch.anatomy)


@torch.no_grad()
def measure_norms(network: nn.Module, batches: Sequence[PatchBatch]) -> None:
    """Set the norms' statistics to the mean over `batches`: those of two networks do not average."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    device = next(network.parameters()).device
    network.train()
    for batch in batches:
        network(batch.to(device).image)
    for norm in norms:
        norm.momentum = 0.1
