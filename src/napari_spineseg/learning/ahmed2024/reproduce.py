"""All of a reproduction: read, split, train, score; a result for each network and fold, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard, load_model, save_model
from napari_spineseg.core.predict import PredictOptions
from napari_spineseg.errors import SettingsError
from napari_spineseg.files import write_whole
from napari_spineseg.learning.ahmed2024.default import default_recipe, train_default
from napari_spineseg.learning.ahmed2024.parts import Parts, split, with_neighbour
from napari_spineseg.learning.ahmed2024.published import INPUT, NETWORK, temperature, train_published
from napari_spineseg.learning.ahmed2024.score import score
from napari_spineseg.learning.ahmed2024.settings import NetworkName, ReproduceSettings
from napari_spineseg.learning.ahmed2024.slices import SliceSet, read_slices
from napari_spineseg.learning.calibration import Calibration
from napari_spineseg.learning.recipe import find_recipe
from napari_spineseg.models.registry import DEFAULT_MODEL, get_model
from napari_spineseg.progress import Control

# What may differ when a run is taken up again: how much is trained this time, and where.
_FREE = {"network", "minutes", "device", "precision", "folds"}


def reproduce(
    settings: ReproduceSettings,
    data: Path,
    out: Path,
    control: Control = Control(),
    on_result: Callable[[dict[str, Any]], None] = lambda result: None,
) -> list[dict[str, Any]]:
    """Train and score every fold and network; goes on where a run that was stopped left off.

    Each training has its folder, `out/<protocol>/fold<k>/<network>`: the trainer's state and log,
    `rounds.json`, the chosen weights `model.safetensors` with their card, and `result.json`.

    Returns
    -------
    The results, as they were also given to `on_result`, one by one.

    Raises
    ------
    DatasetError
        If there is not enough data.
    SettingsError
        If `out` holds a run with other settings.
    Stopped
        If `control` said so; the state is kept.
    """
    slices = read_slices(data, settings.sequence, control)
    results = []
    for fold in range(settings.folds):
        parts = split(slices, settings.protocol, fold, settings.folds, settings.seed)
        for name in settings.networks:
            place = out / settings.protocol / f"fold{fold}" / name
            _same_settings(settings, place)
            result = _one(settings, slices, parts, name, place, control) | {"fold": fold}
            text = json.dumps(result, indent=1, allow_nan=False)
            write_whole(place / "result.json", text)
            results.append(result)
            on_result(result)
    return results


def _one(
    settings: ReproduceSettings,
    slices: SliceSet,
    parts: Parts,
    name: NetworkName,
    place: Path,
    control: Control,
) -> dict[str, Any]:
    model = _model(settings, slices, parts, name, place, control)
    options = PredictOptions(crop=False, device=settings.device, precision=settings.precision)
    result = {
        "protocol": settings.protocol,
        "network": name,
        "slices": {part: len(getattr(parts, part)) for part in ("train", "choose", "test")},
        "patients": {
            part: len(set(slices.patients[getattr(parts, part)])) for part in ("train", "choose", "test")
        },
        "test_with_neighbour_in_training": with_neighbour(slices, parts),
        "training": _training(place, settings, len(parts.train)),
        "settings": settings.model_dump(mode="json"),
        "sha256": model.card.sha256,
    } | score(model, slices, parts.test, options, control)
    if result["training"]:
        fit = temperature(model, slices, parts.choose) if name == "published" else None
        _keep_figures(model, result, fit, place / "model.safetensors")
    return result


def _keep_figures(model: LoadedModel, result: dict[str, Any], fit: Calibration | None, weights: Path) -> None:
    """Write what was measured into the card beside the weights."""
    kept = ("protocol", "slices", "patients", "training", "published_grid", "own_grid")
    changes: dict[str, Any] = {"figures": {key: result[key] for key in kept}}
    if fit is not None:
        changes["temperature"] = fit.temperature
        changes["figures"]["calibration"] = asdict(fit)
    save_model(model.network, model.card.model_copy(update=changes), weights)


def _model(
    settings: ReproduceSettings,
    slices: SliceSet,
    parts: Parts,
    name: NetworkName,
    place: Path,
    control: Control,
) -> LoadedModel:
    if name == "bundled":
        return _bundled(set(slices.patients[parts.test]))
    train = train_published if name == "published" else train_default
    return train(slices, parts, settings, _card(settings, slices, parts, name), place, control)


def _bundled(tested: set[str]) -> LoadedModel:
    """The installed default model, if none of the tested patients taught it."""
    model = load_model(get_model(DEFAULT_MODEL).weights)
    known = sorted(tested & {str(p) for p in model.card.data.get("patients", ())})
    if known:
        raise SettingsError(
            f"The bundled model learnt from patient {known[0]}, who is tested here; --network default trains "
            "one anew."
        )
    return model


def _card(settings: ReproduceSettings, slices: SliceSet, parts: Parts, name: NetworkName) -> ModelCard:
    """The card of a training, without its figures."""
    patients = {
        part: sorted(set(slices.patients[getattr(parts, part)].tolist()), key=lambda p: (len(p), p))
        for part in ("train", "choose", "test")
    }
    common: dict[str, Any] = {
        "data": {"patients": patients["train"], "slices": len(parts.train)} | patients,
        "training": settings.model_dump(mode="json"),
    }
    if name == "published":
        words = yaml.safe_load(find_recipe("ahmed2024").read_text(encoding="utf-8"))["card"]
        return ModelCard(name="ahmed2024", network=NETWORK, input=INPUT, **words, **common)
    recipe = default_recipe()
    return ModelCard(
        name="spinenet-same-slices",
        network=recipe.network,
        arguments=recipe.arguments,
        input=recipe.input,
        **(recipe.card | {"title": "SpineNet on the slices of Ahmed et al. 2024"}),
        **common,
    )


def _training(place: Path, settings: ReproduceSettings, slices: int) -> dict[str, Any] | None:
    """How a training here went; None for a model that was trained elsewhere."""
    if not (place / "rounds.json").exists():
        return None
    rounds = json.loads((place / "rounds.json").read_text())
    best = max(rounds, key=lambda e: e["mean_iou"])
    epochs = settings.batch / slices
    return {
        "steps": rounds[-1]["step"],
        "epochs": round(rounds[-1]["step"] * epochs, 2),
        "seconds": rounds[-1]["seconds"],
        "chosen_epoch": round(best["step"] * epochs, 2),
        "chosen_mean_iou": best["mean_iou"],
    }


def _same_settings(settings: ReproduceSettings, place: Path) -> None:
    """Keep the settings beside a training, and refuse to go on with others.

    The published network may be given more epochs; the default one's schedule depends on them.
    """
    free = _FREE | ({"epochs"} if place.name == "published" else set())
    mine = settings.model_dump(mode="json", exclude=free)
    path = place / "settings.json"
    if path.exists():
        theirs = json.loads(path.read_text())
        other = sorted(key for key in mine if mine[key] != theirs.get(key))
        if other:
            raise SettingsError(
                f"{place} holds a training with another {other[0]} ({theirs.get(other[0])}); choose another "
                "output folder or the same settings."
            )
    place.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(mine, indent=1))


def load_results(out: Path) -> list[dict[str, Any]]:
    """Every result under `out`."""
    return [json.loads(p.read_text()) for p in sorted(out.glob("*/fold*/*/result.json"))]
