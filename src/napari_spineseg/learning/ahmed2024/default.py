"""Our default network on the same slices: SpineNet as the bundled recipe builds and feeds it.

What differs from the published recipe, and why: physical pixels instead of squeezed ones, the slices
beside as channels, crops around the spine, a cosine for the learning rate, and averaged weights; mild
augmentation where patients are tested that nobody has seen, and none where their neighbouring slices
were (`seen.py`). As many slices are seen as the published network sees. Nothing but the slices is
learnt from: no synthetic scans, no invented contrasts, no weights of another training.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.core.checkpoint import LoadedModel, ModelCard, load_model, save_model
from napari_spineseg.core.device import choose_device
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.train import TrainSettings
from napari_spineseg.datasets.crops import UNLABELLED, Batch, CropSampler, CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.learning.ahmed2024.parts import Parts
from napari_spineseg.learning.ahmed2024.published import pooled_iou
from napari_spineseg.learning.ahmed2024.rounds import Rounds, RoundsTrainer
from napari_spineseg.learning.ahmed2024.seen import SeenFeed
from napari_spineseg.learning.ahmed2024.settings import DEFAULT_PIXEL_MM, ReproduceSettings
from napari_spineseg.learning.ahmed2024.slices import STRUCTURES, SliceSet, Stack
from napari_spineseg.learning.pretrain import predict_prepared
from napari_spineseg.learning.recipe import PretrainSettings, find_recipe, read_recipe
from napari_spineseg.progress import Control

CROPS = CropSettings(
    neighbour_mm=(3.0, 5.0),
    alone_share=0.0,
    anywhere_share=0.15,
    synthetic_share=0.0,
    augment=AugmentSettings(
        rotation_deg=6,
        scale=1.1,
        shear=0.05,
        warp_mm=1.5,
        remap_share=0,
        blur_share=0.2,
        noise=0.05,
        bias=0.3,
    ),
)
_VALIDATIONS = 10
_LOOKED_AT = 32
_SAVE_EVERY = 25


def default_recipe() -> PretrainSettings:
    """The recipe of the bundled default model: its network and its input are used here."""
    return read_recipe(find_recipe("lumbar"))


def train_default(
    slices: SliceSet, parts: Parts, settings: ReproduceSettings, card: ModelCard, out: Path, control: Control
) -> LoadedModel:
    """Train, or go on; returns the averaged weights with the best mean IoU on `parts.choose`."""
    spec = card.input
    volumes = prepared(slices, parts.train)
    batches = _batches(slices, volumes, parts, settings, card)
    torch.manual_seed(settings.seed)
    network = build_network(card.network, card.arguments)
    rounds = Rounds(out / "rounds.json", 0, 60 * settings.minutes)
    weights = out / "model.safetensors"
    looked_at = parts.choose[:: max(1, len(parts.choose) // _LOOKED_AT)]
    truth = {int(i): _labels(slices, int(i)) for i in looked_at}

    def validate(averaged: nn.Module) -> dict[str, Any]:
        device = next(averaged.parameters()).device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=trainer.dtype == torch.bfloat16),
        ):
            found = {
                i: predict_prepared(averaged, volumes[slices.stack[i]], int(slices.place[i]), spec, device)
                for i in truth
            }
        figures = pooled_iou(*(np.concatenate([d[i].ravel() for i in truth]) for d in (truth, found)))
        return trainer.note(figures, lambda: save_model(averaged, card, weights))

    trainer = RoundsTrainer(
        network,
        batches,
        lambda logits, batch: cross_entropy_dice(logits, batch.target, batch.weight),
        _train_settings(settings, len(parts.train)),
        out,
        validate,
        choose_device(settings.device),
        settings.precision,
    )
    trainer.run_rounds(rounds, control)
    return load_model(weights)


def _batches(
    slices: SliceSet,
    volumes: list[PreparedVolume],
    parts: Parts,
    settings: ReproduceSettings,
    card: ModelCard,
) -> Callable[[int], Batch]:
    """What is learnt from at a step: made for patients never seen, or for slices beside those seen."""
    if settings.protocol == "slices":
        return SeenFeed(slices, volumes, parts.train, card.input, settings.batch, settings.seed)
    labelled = [v for v in volumes if (v.structures != UNLABELLED).any()]
    sampler = CropSampler(labelled, CROPS, settings.seed)
    return lambda step: sampler.batch(step, settings.batch)


def _train_settings(settings: ReproduceSettings, slices: int) -> TrainSettings:
    """The bundled model's, for as many epochs as are asked for."""
    recipe = default_recipe().train
    steps = settings.epochs * -(-slices // settings.batch)
    every = max(1, steps // _VALIDATIONS)
    return TrainSettings(
        seed=settings.seed,
        steps=steps,
        batch=settings.batch,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        average=recipe.average,
        clip=recipe.clip,
        warm_up=min(100, steps // 10),
        validate_every=every,
        save_every=min(_SAVE_EVERY, every),
    )


def prepared(slices: SliceSet, train: np.ndarray) -> list[PreparedVolume]:
    """Every stack at the network's pixel, labelled where a slice trains and nowhere else.

    A tested slice is still a neighbour to look at, as it is in use, but nothing is learnt from its
    labels.
    """
    return [
        _prepared(stack, slices.place[[i for i in train if slices.stack[i] == s]])
        for s, stack in enumerate(slices.stacks)
    ]


def _prepared(stack: Stack, labelled: np.ndarray) -> PreparedVolume:
    size = _size(stack)
    structures = np.full((len(stack.images), *size), UNLABELLED, np.uint8)
    if len(labelled):
        structures[labelled] = resized_labels(stack.structures[labelled], size, range(STRUCTURES))
    return PreparedVolume(
        name=stack.name,
        patient=stack.patient,
        kind="image",
        values=windowed(resized(stack.images, size)),
        structures=structures,
        slice_mm=stack.spacing[0],
        spacing_mm=DEFAULT_PIXEL_MM,
    )


def _labels(slices: SliceSet, row: int) -> np.ndarray:
    stack, place = slices.stacks[slices.stack[row]], slices.place[row]
    return resized_labels(stack.structures[place : place + 1], _size(stack), range(STRUCTURES))[0]


def _size(stack: Stack) -> tuple[int, int]:
    height, width = stack.images.shape[1:]
    return round(height * stack.spacing[1] / DEFAULT_PIXEL_MM), round(
        width * stack.spacing[2] / DEFAULT_PIXEL_MM
    )
