"""How the bundled tumour model is made: patches with painted tumours in, weights and card out.

Three stages, each resumable by itself: reconstruct masked patches of scans without labels, tell
patches with tumours from look-alikes and background, then segment.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.core.enhanced_sgd import OptimiserSettings, OptimiserTrainer
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.losses import cross_entropy_dice, hardest_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.networks.penn import (
    PENN,
    AnatomyAided,
    PatchClassifier,
    PatchReconstruction,
    mask_blocks,
)
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.learning.blend import blended
from napari_spineseg.learning.calibration import best_temperature
from napari_spineseg.learning.pretrain import RecipeName
from napari_spineseg.learning.tumour.patches import PATCH_CLASSES, PatchBatch, PatchSampler, PatchSettings
from napari_spineseg.progress import Control

LossName = Literal["pooled", "hardest"]
"""`cross_entropy_dice` over a whole batch, or `hardest_dice`, patch by patch."""
_STRUCTURES = ("background", "tumour")
_MASKED_SHARE, _BLOCK = 0.5, 16
_VALIDATION_SEED, _VALIDATION_BATCHES = 99, 6
_NORM_BATCHES = 10


class LastStage(BaseModel):
    """Training once more with patches that seldom show a tumour, as a scan does.

    Patches of the stage before mostly show one, which is quick to learn from, and teaches that there is
    one: over whole scans such a network marks too much.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(2000, gt=0)
    learning_rate: float = Field(1e-3, gt=0)
    batch: int | None = Field(None, gt=0, description="as in the stage before where left out")
    warm_up: int | None = Field(None, ge=0, description="as in the stage before where left out")
    loss: LossName = "pooled"
    keep: float = Field(
        0.0, ge=0, lt=1, description="share that the weights of before have in those of after"
    )
    patches: PatchSettings = PatchSettings(tumour_share=0.2, border_share=0.08, hard_share=0.3)


class TumourSettings(BaseModel):
    """One recipe of a tumour model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = "tumour"
    name: RecipeName = "tumour"
    network: str = "penn"
    arguments: dict[str, Any] = Field(default_factory=dict)
    input: InputSpec = InputSpec(spacing_mm=0.6, neighbours=1, neighbour_mm=4.0, stride=32)
    patches: PatchSettings = PatchSettings()
    reconstruct_steps: int = Field(150, ge=0, title="Steps of masked-patch reconstruction")
    classify_steps: int = Field(150, ge=0, title="Steps of patch classification")
    anatomy_weight: float = Field(0.5, ge=0, description="how much the second head's loss counts")
    train: OptimiserSettings = OptimiserSettings()
    last: LastStage | None = Field(None, description="stage with few tumours at the end")
    finish: tuple[LastStage, ...] = Field((), description="more stages, with another loss or other patches")
    train_folders: tuple[str, ...] = ("train", "tissues")
    validation_folders: tuple[str, ...] = ("val",)
    held_out_tissues: tuple[str, ...] = Field((), description="patients whose tissue maps are kept for tests")
    card: dict[str, Any] = Field(default_factory=dict, description="what the card says beyond the figures")


def is_tumour_recipe(path: Path) -> bool:
    """Whether a recipe is one for tumours."""
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(recipe, dict) and recipe.get("task") == "tumour"


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


def train_stages(
    settings: TumourSettings,
    volumes: list[PreparedVolume],
    out: Path,
    validate: Any = None,
    device: str = "cpu",
    control: Control = Control(),
    sampler_of: Callable[..., Any] = PatchSampler,
) -> nn.Module:
    """The stages one after the other; the averaged network of the last.

    `sampler_of` makes what gives the batches, from volumes, patch settings and a seed.
    """
    torch.manual_seed(settings.train.seed)
    network: PENN = build_network(settings.network, settings.arguments)
    for stage in (reconstruct, classify):
        stage(network, settings, volumes, out / stage.__name__, device, control, sampler_of)
    aided = AnatomyAided(network)
    for number, stage in enumerate(_stages(settings, out)):
        before = copy.deepcopy(aided)
        sampler = sampler_of(volumes, stage.patches, settings.train.seed + 10 * number)
        trainer = OptimiserTrainer(
            aided,
            lambda step, sampler=sampler, count=stage.train.batch: sampler.batch(step, count),
            lambda logits, batch, name=stage.loss: _loss(logits, batch, name, settings.anatomy_weight),
            stage.train,
            stage.folder,
            None if validate is None else lambda averaged: validate(averaged.network),
            device,
        )
        after = blended((before, trainer.run(control)), (stage.keep, 1 - stage.keep))
        aided.load_state_dict(after.state_dict())
        if stage.keep:
            measure_norms(aided, [sampler.draw(step, stage.train.batch) for step in range(_NORM_BATCHES)])
    return aided.eval().network


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


def _loss(logits: torch.Tensor, batch: PatchBatch, name: LossName, anatomy_weight: float) -> torch.Tensor:
    """Loss of the tumour, and of the anatomy (behind it) at a lower weight."""
    classes = len(_STRUCTURES)
    loss = (hardest_dice if name == "hardest" else cross_entropy_dice)(logits[:, :classes], batch.target)
    if not anatomy_weight:
        return loss
    return loss + anatomy_weight * cross_entropy_dice(logits[:, classes:], batch.anatomy)


def reconstruct(
    network: PENN,
    settings: TumourSettings,
    volumes: list[PreparedVolume],
    folder: Path,
    device: str = "cpu",
    control: Control = Control(),
    sampler_of: Callable[..., Any] = PatchSampler,
) -> None:
    """Stage 1, in place: half of a patch is blanked in blocks, and painted again from the rest.

    The patches show no painted lesion: any unlabelled scan would do.
    """
    plain = settings.patches.model_copy(update={"tumour_share": 0.0, "border_share": 0.0, "hard_share": 0.0})
    sampler = sampler_of(volumes, plain, settings.train.seed + 1)

    def masked(step: int) -> PatchBatch:
        batch = sampler.batch(step, settings.train.batch)
        generator = torch.Generator().manual_seed(step)
        blanked, mask = mask_blocks(batch.image, _MASKED_SHARE, _BLOCK, generator)
        # The answer travels in `target`: the whole patch, and in its last channel where it was blanked.
        return replace(batch, image=blanked, target=torch.cat([batch.image, mask], 1))

    def loss(painted: torch.Tensor, batch: PatchBatch) -> torch.Tensor:
        whole, mask = batch.target[:, :-1], batch.target[:, -1:]
        return ((painted - whole).square() * mask).sum() / (mask.sum() * whole.shape[1]).clamp_min(1)

    task = PatchReconstruction(network)
    _stage(task, masked, loss, settings, settings.reconstruct_steps, folder, device, control)


def classify(
    network: PENN,
    settings: TumourSettings,
    volumes: list[PreparedVolume],
    folder: Path,
    device: str = "cpu",
    control: Control = Control(),
    sampler_of: Callable[..., Any] = PatchSampler,
) -> None:
    """Stage 2, in place: is there a tumour in the patch, a look-alike, or neither?"""
    sampler = sampler_of(volumes, settings.patches, settings.train.seed + 2)
    task = PatchClassifier(network, len(PATCH_CLASSES))
    _stage(
        task,
        lambda step: sampler.batch(step, settings.train.batch),
        lambda logits, batch: functional.cross_entropy(logits, batch.kind),
        settings,
        settings.classify_steps,
        folder,
        device,
        control,
    )


def _stage(task, batches, loss, settings, steps, folder, device, control) -> None:
    """Train `task` for `steps` and leave the averaged weights in the network that it wraps."""
    if not steps:
        return
    train = settings.train.model_copy(
        update={"steps": steps, "validate_every": steps, "warm_up": min(settings.train.warm_up, steps // 5)}
    )
    averaged = OptimiserTrainer(task, batches, loss, train, folder, device=device).run(control)
    task.network.load_state_dict(averaged.network.state_dict())


def validation_batches(volumes: list[PreparedVolume], settings: TumourSettings) -> list[PatchBatch]:
    """Always the same patches of held-out patients, as balanced as those of training."""
    sampler = PatchSampler(volumes, settings.patches, _VALIDATION_SEED)
    return [sampler.draw(step, settings.train.batch) for step in range(_VALIDATION_BATCHES)]


@torch.inference_mode()
def patch_figures(network: nn.Module, batches: Sequence[PatchBatch]) -> dict[str, float]:
    """Pixel-wise precision, recall, accuracy, F1, IoU and Dice over all patches together."""
    counts = torch.zeros(2, 2, dtype=torch.float64)
    device = next(network.parameters()).device
    for batch in batches:
        found = network(batch.to(device).image).argmax(1).cpu()
        for truth in (0, 1):
            for said in (0, 1):
                counts[truth, said] += ((batch.target == truth) & (found == said)).sum()
    return figures_of(*(float(counts[k]) for k in ((1, 1), (0, 1), (1, 0), (0, 0))))


def figures_of(hit: float, wrong: float, missed: float, right: float) -> dict[str, float]:
    """The published figures from true and false positives, false and true negatives.

    F1 of pooled pixels and Dice are the same number; papers print both.

    >>> figures_of(8, 2, 2, 88)["dice"], figures_of(8, 2, 2, 88)["accuracy"]
    (0.8, 0.96)
    """
    precision, recall = hit / max(hit + wrong, 1), hit / max(hit + missed, 1)
    dice = 2 * hit / max(2 * hit + wrong + missed, 1)
    figures = {
        "precision": precision,
        "recall": recall,
        "accuracy": (hit + right) / max(hit + wrong + missed + right, 1),
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "iou": hit / max(hit + wrong + missed, 1),
        "dice": dice,
    }
    return {name: round(value, 4) for name, value in figures.items()}


@torch.inference_mode()
def fitted_temperature(network: nn.Module, batches: Sequence[PatchBatch]) -> float:
    """`best_temperature` over all pixels of some patches."""
    device = next(network.parameters()).device
    pairs = [(network(batch.to(device).image).float().cpu(), batch.target) for batch in batches]
    logits = torch.cat([said.permute(0, 2, 3, 1).flatten(0, 2) for said, _ in pairs])
    return best_temperature(logits, torch.cat([target.flatten() for _, target in pairs]))


def _card(settings: TumourSettings, volumes: Sequence[PreparedVolume], figures: dict[str, Any]) -> ModelCard:
    return ModelCard(
        name=settings.name,
        network=settings.network,
        arguments=settings.arguments,
        structures=list(_STRUCTURES),
        input=settings.input,
        data={
            "patients": sorted({v.patient for v in volumes}, key=lambda p: (len(p), p)),
            "volumes": {kind: sum(v.kind == kind for v in volumes) for kind in ("image", "tissues")},
            "tumours": "synthetic, painted by napari_spineseg.synthesis.lesions; no patient's was seen",
        },
        training=settings.model_dump(mode="json", exclude={"card", "arguments", "input", "network", "name"}),
        figures={"held-out patches": dict(figures)},
        **settings.card,
    )
