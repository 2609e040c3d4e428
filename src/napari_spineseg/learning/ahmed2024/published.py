"""The published recipe: modified U-Net, focal and Dice loss, Adam, batch 8, plateau, early stop.

No augmentation: the paper names none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard, load_model, save_model
from napari_spineseg.core.device import choose_device
from napari_spineseg.core.inputs import InputSpec, normalise
from napari_spineseg.core.losses_ahmed2024 import focal_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.train import TrainSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.ahmed2024.parts import Parts, rows_of_step
from napari_spineseg.learning.ahmed2024.rounds import Rounds, RoundsTrainer, plateau_rate
from napari_spineseg.learning.ahmed2024.settings import (
    EARLY_STOP_EPOCHS,
    LEAST_RATE,
    PLATEAU_EPOCHS,
    PLATEAU_FACTOR,
    ReproduceSettings,
)
from napari_spineseg.learning.ahmed2024.slices import NETWORK_SIZE, STRUCTURES, SliceSet
from napari_spineseg.learning.calibration import Calibration, calibrate
from napari_spineseg.progress import Control

NETWORK = "modified_unet"
INPUT = InputSpec(size_px=NETWORK_SIZE, neighbours=0, stride=16, normalise="minmax")
# The paper clips no gradients, and averages no weights.
_NEVER = 1e9
_AT_ONCE = 16
_SAVE_EVERY = 25
_CALIBRATION_SLICES = 3


@dataclass(frozen=True)
class SliceBatch:
    """image: (batch, 1, 256, 256) float32, 0 to 1 a slice; target: (batch, 256, 256) int64."""

    image: torch.Tensor
    target: torch.Tensor

    def to(self, device: torch.device) -> SliceBatch:
        """The same batch on a device."""
        return SliceBatch(self.image.to(device, memory_format=torch.channels_last), self.target.to(device))


@dataclass(frozen=True)
class Feed:
    """Batches of whole slices. Every pass sees each slice once, in an order of its own."""

    slices: SliceSet
    train: np.ndarray
    batch: int
    seed: int

    @property
    def steps(self) -> int:
        """Steps a pass."""
        return -(-len(self.train) // self.batch)

    def __call__(self, step: int) -> SliceBatch:
        """The batch of a step: a pure function of it and the seed."""
        rows = rows_of_step(self.train, step, self.batch, self.seed)
        return SliceBatch(
            as_input(self.slices.images[rows]), torch.from_numpy(self.slices.structures[rows]).long()
        )


def train_published(
    slices: SliceSet, parts: Parts, settings: ReproduceSettings, card: ModelCard, out: Path, control: Control
) -> LoadedModel:
    """Train, or go on; returns the checkpoint with the best mean IoU on `parts.choose`.

    Leaves `rounds.json`, `model.safetensors` and its card in `out`.
    """
    feed = Feed(slices, parts.train, settings.batch, settings.seed)
    torch.manual_seed(settings.seed)
    network = build_network(NETWORK)
    rounds = Rounds(out / "rounds.json", EARLY_STOP_EPOCHS, 60 * settings.minutes)
    weights = out / "model.safetensors"

    def validate(current: nn.Module) -> dict[str, Any]:
        figures = mean_iou(current, slices, parts.choose, trainer.dtype == torch.bfloat16)
        return trainer.note(figures, lambda: save_model(current, card, weights))

    trainer = RoundsTrainer(
        network,
        feed,
        lambda logits, batch: focal_dice(logits, batch.target),
        TrainSettings(
            seed=settings.seed,
            steps=settings.epochs * feed.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            weight_decay=0,
            warm_up=0,
            average=0,
            clip=_NEVER,
            validate_every=feed.steps,
            save_every=min(_SAVE_EVERY, feed.steps),
        ),
        out,
        validate,
        choose_device(settings.device),
        settings.precision,
    )
    trainer.rate = lambda scores: plateau_rate(
        scores, settings.learning_rate, PLATEAU_EPOCHS, PLATEAU_FACTOR, LEAST_RATE
    )
    trainer.run_rounds(rounds, control)
    return load_model(weights)


def temperature(model: LoadedModel, slices: SliceSet, rows: np.ndarray) -> Calibration:
    """What makes the model's shares mean something, fitted on some of `rows`, a scan at a time."""
    volumes = [
        PreparedVolume(
            name=slices.stacks[s].name,
            patient=slices.stacks[s].patient,
            kind="image",
            values=slices.images[rows[slices.stack[rows] == s]],
            structures=slices.structures[rows[slices.stack[rows] == s]],
            slice_mm=slices.stacks[s].spacing[0],
            spacing_mm=slices.stacks[s].spacing[1],
        )
        for s in np.unique(slices.stack[rows])
    ]
    return calibrate(model.network, volumes, INPUT, _CALIBRATION_SLICES)


def as_input(images: np.ndarray) -> torch.Tensor:
    """(n, 256, 256) uint8 to network input, (n, 1, 256, 256) float32, 0 to 1 over each slice."""
    return normalise(torch.from_numpy(images).float(), INPUT.normalise)[:, None]


@torch.inference_mode()
def predict_slices(network: nn.Module, images: np.ndarray, bf16: bool = False) -> np.ndarray:
    """Structures of (n, 256, 256) uint8 slices, (n, 256, 256) uint8."""
    device = next(network.parameters()).device
    found = []
    for at in range(0, len(images), _AT_ONCE):
        batch = as_input(images[at : at + _AT_ONCE]).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            found.append(network(batch).argmax(1).byte().cpu().numpy())
    return np.concatenate(found)


def mean_iou(network: nn.Module, slices: SliceSet, rows: np.ndarray, bf16: bool) -> dict[str, Any]:
    """IoU of each structure, pooled over the slices, and their mean without background."""
    return pooled_iou(slices.structures[rows], predict_slices(network, slices.images[rows], bf16))


def pooled_iou(reference: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """IoU a structure, TP / (TP + FP + FN) over all pixels together, and the mean of the three."""
    counts = np.bincount(
        (reference.astype(np.intp) * STRUCTURES + predicted).ravel(), minlength=STRUCTURES**2
    ).reshape(STRUCTURES, STRUCTURES)
    both = counts.diagonal()
    either = counts.sum(0) + counts.sum(1) - both
    iou: Sequence[float] = (both / np.maximum(either, 1))[1:].tolist()
    return {"mean_iou": sum(iou) / len(iou), "iou": [round(v, 4) for v in iou]}
