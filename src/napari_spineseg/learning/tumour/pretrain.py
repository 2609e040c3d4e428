"""How the bundled tumour model is made: patches with painted tumours in, weights and card out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.learning.calibration import best_temperature
from napari_spineseg.learning.recipe import card_of
from napari_spineseg.learning.tumour.figures import patch_figures
from napari_spineseg.learning.tumour.patches import PatchBatch, PatchSampler
from napari_spineseg.learning.tumour.recipe import TumourSettings
from napari_spineseg.learning.tumour.stages import STRUCTURES, train_stages
from napari_spineseg.progress import Control

_VALIDATION_SEED, _VALIDATION_BATCHES = 99, 6


def split(settings: TumourSettings, prepared: Path) -> tuple[list[PreparedVolume], list[PreparedVolume]]:
    """Training and held-out volumes; a patient is on one side only."""
    held = [v for name in settings.validation_folders for v in load_prepared(prepared / name)]
    volumes = [v for name in settings.train_folders for v in load_prepared(prepared / name)]
    patients = {v.patient for v in held} | set(settings.held_out_tissues)
    held += [v for v in volumes if v.patient in patients]
    return [v for v in volumes if v.patient not in patients], held


def pretrain_tumour(
    settings: TumourSettings, prepared: Path, out: Path, device: str = "cpu", control: Control = Control()
) -> ModelCard:
    """Train as `settings` say, on the folders under `prepared`; resumes what it finds in `out`.

    Writes `out/<name>.safetensors`, its card, and a `log.jsonl` a stage.
    """
    volumes, held = split(settings, prepared)
    latest: dict[str, Any] = {}
    weights = out / f"{settings.name}.safetensors"

    def validate(averaged: nn.Module) -> dict[str, Any]:
        latest.update(patch_figures(averaged, validation_batches(held, settings)))
        save_model(averaged, _card(settings, volumes, latest), weights)
        return latest

    network = train_stages(settings, volumes, out, validate, device, control)
    temperature = fitted_temperature(network, validation_batches(held, settings))
    card = _card(settings, volumes, latest).model_copy(update={"temperature": temperature})
    return save_model(network, card, weights)


def validation_batches(volumes: list[PreparedVolume], settings: TumourSettings) -> list[PatchBatch]:
    """Always the same patches of held-out patients, as balanced as those of training."""
    sampler = PatchSampler(volumes, settings.patches, _VALIDATION_SEED)
    return [sampler.draw(step, settings.train.batch) for step in range(_VALIDATION_BATCHES)]


@torch.inference_mode()
def fitted_temperature(network: nn.Module, batches: Sequence[PatchBatch]) -> float:
    """`best_temperature` over all pixels of some patches."""
    device = next(network.parameters()).device
    pairs = [(network(batch.to(device).image).float().cpu(), batch.target) for batch in batches]
    logits = torch.cat([said.permute(0, 2, 3, 1).flatten(0, 2) for said, _ in pairs])
    return best_temperature(logits, torch.cat([target.flatten() for _, target in pairs]))


def _card(settings: TumourSettings, volumes: Sequence[PreparedVolume], figures: dict[str, Any]) -> ModelCard:
    return card_of(
        settings,
        volumes,
        {"held-out patches": dict(figures)},
        {"tumours": "synthetic, painted by napari_spineseg.synthesis.lesions; no patient's was seen"},
        structures=list(STRUCTURES),
    )
