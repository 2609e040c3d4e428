"""How the bundled models are made: prepared volumes in, weights and card out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.datasets.crops import CropSampler, CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.errors import SettingsError
from napari_spineseg.learning.blend import blended
from napari_spineseg.learning.calibration import calibrate
from napari_spineseg.progress import Control

_STRUCTURES = (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)


class Stage(BaseModel):
    """A stretch of training with settings of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops: CropSettings = CropSettings()
    train: TrainSettings = TrainSettings()
    start: tuple[float, ...] = Field(
        (), description="how much each stage before counts in what it goes on from; only the last if empty"
    )


RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What its files are called in the folder for results, which they do not leave."""


class PretrainSettings(BaseModel):
    """One recipe: everything that a model's figures depend on.

    `crops` and `train` are its first stage; each of `then` goes on from the averaged weights of
    the one before, or from a blend of those before (`start`), with a new optimiser.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: RecipeName = "lumbar"
    network: str = "spine_net"
    arguments: dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec()
    crops: CropSettings = CropSettings()
    train: TrainSettings = TrainSettings()
    then: tuple[Stage, ...] = ()
    blend: tuple[float, ...] = Field(
        (), description="how much each stage's weights count in the model; the last stage alone if empty"
    )
    train_folders: tuple[str, ...] = ("train", "tissues")
    validation_folders: tuple[str, ...] = ("val", "t2")
    validation_slices: int = Field(6, gt=0, description="slices a volume that are looked at")
    card: dict[str, Any] = Field(default_factory=dict, description="what the card says beyond the figures")


Recipe = TypeVar("Recipe", bound=BaseModel)


def find_recipe(name: str) -> Path:
    """A bundled recipe by name, or a file by its path.

    Raises
    ------
    SettingsError
        If it is neither. A pipe or a device is never opened.
    """
    folder = Path(__file__).parent / "recipes"
    for path in (folder / f"{name}.yaml", Path(name)):
        if path.is_file():
            return path
    raise SettingsError(f"There is no recipe {name!r}; name a bundled one (lumbar, tumour) or a YAML file.")


def read_recipe(path: Path, kind: type[Recipe] = PretrainSettings) -> Recipe:
    """Read a recipe of one kind from YAML.

    Raises
    ------
    SettingsError
        If the file is missing or says something that no recipe says.
    """
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        raise SettingsError(f"{path} is not a recipe: {_first_fault(error)}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} is not a recipe: {' '.join(str(error).split())}.") from error


def _first_fault(error: ValidationError) -> str:
    """Where a recipe says what, in the words of the check, without its codes and addresses."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


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

    def validate(averaged: nn.Module) -> dict[str, Any]:
        latest.update(
            {
                name: validation_dice(averaged, v, settings.input, settings.validation_slices)
                for name, v in checks.items()
            }
        )
        save_model(averaged, _card(settings, volumes, latest), out / f"{settings.name}.safetensors")
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
    card = _card(settings, volumes, latest).model_copy(update={"temperature": fit.temperature})
    return save_model(averaged, card, out / f"{settings.name}.safetensors")


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


def _card(
    settings: PretrainSettings, volumes: Sequence[PreparedVolume], figures: dict[str, Any]
) -> ModelCard:
    return ModelCard(
        name=settings.name,
        network=settings.network,
        arguments=settings.arguments,
        input=settings.input,
        data={
            "patients": sorted({v.patient for v in volumes}, key=lambda p: (len(p), p)),
            "volumes": {kind: sum(v.kind == kind for v in volumes) for kind in ("image", "tissues")},
        },
        training=settings.model_dump(mode="json", exclude={"card", "arguments", "input", "network", "name"}),
        figures={"validation": figures},
        **settings.card,
    )


@torch.inference_mode()
def validation_dice(
    network: nn.Module, volumes: Sequence[PreparedVolume], spec: InputSpec, slices: int
) -> dict[str, float | None]:
    """Mean Dice a structure over volumes, on the prepared grid, from some slices of each volume."""
    scores: dict[str, list[float]] = {s.title: [] for s in _STRUCTURES}
    device = next(network.parameters()).device
    for volume in volumes:
        picked = np.unique(np.linspace(0, len(volume.values) - 1, slices + 2)[1:-1].round().astype(int))
        predicted = np.stack([predict_prepared(network, volume, int(i), spec, device) for i in picked])
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
