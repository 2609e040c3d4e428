"""How the bundled models are made: prepared volumes in, weights and card out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.datasets.crops import CropSampler
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.learning.blend import blended
from napari_spineseg.learning.calibration import calibrate
from napari_spineseg.learning.recipe import PretrainSettings, Stage, card_of
from napari_spineseg.progress import Control

_STRUCTURES = (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)


def pretrain(
    settings: PretrainSettings, prepared: Path, out: Path, device: str = "cpu", control: Control = Control()
) -> ModelCard:
    """Train as `settings` say, on the folders under `prepared`; resumes what it finds in `out`.

    Writes `out/<name>.safetensors`, its card, and `out/log.jsonl`.
    """
    checks = {name: load_prepared(prepared / name) for name in settings.validation_folders}
    held_back = {v.patient for check in checks.values() for v in check}
    volumes = [v for name in settings.train_folders for v in load_prepared(prepared / name)]
    # SPIDER's ids are shared between its images and its masks: a patient is on one side only.
    volumes = [v for v in volumes if v.patient not in held_back]
    torch.manual_seed(settings.train.seed)
    averaged = build_network(settings.network, settings.arguments)
    ends: list[nn.Module] = []
    latest: dict[str, Any] = {}
    weights = out / f"{settings.name}.safetensors"

    def validate(averaged: nn.Module) -> dict[str, Any]:
        latest.update(
            {
                name: validation_dice(averaged, v, settings.input, settings.validation_slices)
                for name, v in checks.items()
            }
        )
        save_model(averaged, card_of(settings, volumes, {"validation": latest}), weights)
        return latest

    stages = (Stage(crops=settings.crops, train=settings.train), *settings.then)
    for number, stage in enumerate(stages, 1):
        sampler = CropSampler(volumes, stage.crops, stage.train.seed)
        folder = out if number == 1 else out / f"stage{number}"
        if stage.start:
            averaged = blended(ends, stage.start)
        averaged = _train(averaged, sampler, stage.train, folder, validate, device, control)
        ends.append(averaged)
    if settings.blend:
        averaged = blended(ends, settings.blend)
        validate(averaged)
    fit = calibrate(averaged, [v for check in checks.values() for v in check], settings.input, 4)
    latest["calibration"] = asdict(fit)
    card = card_of(settings, volumes, {"validation": latest})
    return save_model(averaged, card.model_copy(update={"temperature": fit.temperature}), weights)


def _train(
    network: nn.Module,
    sampler: CropSampler,
    settings: TrainSettings,
    folder: Path,
    validate: Callable[[nn.Module], dict[str, Any]],
    device: str,
    control: Control,
) -> nn.Module:
    # It is trained in place, and the end of the stage before is still to be blended.
    trainer = Trainer(
        copy.deepcopy(network).train().requires_grad_(True),
        lambda step: sampler.batch(step, settings.batch),
        lambda logits, batch: cross_entropy_dice(logits, batch.target, batch.weight),
        settings,
        folder,
        validate,
        device,
    )
    return trainer.run(control)


@torch.inference_mode()
def validation_dice(
    network: nn.Module, volumes: Sequence[PreparedVolume], spec: InputSpec, slices: int
) -> dict[str, float | None]:
    """Mean Dice a structure over volumes, on the prepared grid, from some slices of each volume."""
    scores: dict[str, list[float]] = {s.title: [] for s in _STRUCTURES}
    device = next(network.parameters()).device
    for volume in volumes:
        picked = volume.spread_slices(slices)
        predicted = np.stack([predict_prepared(network, volume, i, spec, device) for i in picked])
        truth = volume.structures[picked]
        for structure in _STRUCTURES:
            a, b = predicted == structure, truth == structure
            if a.any() or b.any():
                scores[structure.title].append(2 * float((a & b).sum()) / float(a.sum() + b.sum()))
    return {name: round(sum(v) / len(v), 4) if v else None for name, v in scores.items()}


def predict_prepared(
    network: nn.Module, volume: PreparedVolume, index: int, spec: InputSpec, device: torch.device
) -> np.ndarray:
    """Structures of one slice of a prepared volume, (height, width) uint8."""
    image = network_input(volume.values, index, volume.slice_mm, spec)
    padded = image.to(device, memory_format=torch.channels_last)
    height, width = volume.values.shape[1:]
    return network(padded)[0, :, :height, :width].argmax(0).byte().cpu().numpy()
