"""A candidate becomes a version: its card says what it comes from, what it learnt, and what that changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from napari_spineseg import __version__
from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.errors import ModelError
from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.learning.run.events import Change
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models import ModelEntry, get_model, list_models
from napari_spineseg.models.versions import add_version, use_model


def candidate_card(
    parent: ModelCard, parent_key: str, name: str, training: dict[str, Any], data: dict[str, Any]
) -> ModelCard:
    """The parent's card, with what is the candidate's own in its place."""
    own = {"name": name, "parent": parent_key, "created": "", "sha256": ""}
    return parent.model_copy(
        update={**own, "training": training | {"code": __version__}, "data": data, "figures": {}}
    )


def training_record(
    run: str, settings: LearnSettings, steps: int, seconds: float, device: str, precision: str
) -> dict[str, Any]:
    """How it was trained, for the card. The store's place is a person's own affair."""
    return {
        "kind": "learning",
        "run": run,
        "settings": settings.model_dump(mode="json", exclude={"corrections"}),
        "steps": steps,
        "seconds": round(seconds, 1),
        "device": device,
        "precision": precision,
    }


def data_record(parent_key: str, lessons: Sequence[Lesson], roles: dict[str, str]) -> dict[str, Any]:
    """Which corrections, by their hashes; no image, no name of a patient."""
    return {
        "parent": parent_key,
        "corrections": [
            {
                "scan_sha256": lesson.sha256,
                "labels_sha256": lesson.labels_sha256,
                "version": lesson.version,
                "role": roles[lesson.volume.name],
                "changed_voxels": lesson.changed_voxels,
            }
            for lesson in lessons
        ],
    }


def figures_record(
    held_back: dict[str, Change], guard: dict[str, Change], promoted: bool, reason: str
) -> dict[str, Any]:
    """What changed, before and after, a structure."""
    return {
        "held_back": {title: change.model_dump() for title, change in held_back.items()},
        "guard": {title: change.model_dump() for title, change in guard.items()},
        "gate": {"promoted": promoted, "reason": reason},
    }


def register(
    name: str, weights: Path, run: str, parent: ModelEntry, promote: bool
) -> tuple[ModelEntry, bool]:
    """Add the candidate in `weights` as the next version of `name`; returns it and whether it is in use.

    It comes into use where it is promoted and its parent is in use. A run that was killed after it had
    registered its candidate does not register it twice.

    Raises
    ------
    ModelError
        If the name cannot be one.
    """
    replaces = _present() in (parent, None)
    entry = next((e for e in list_models() if e.card.get("training", {}).get("run") == run), None)
    if entry is None:
        entry = add_version(name, weights, {"promoted": promote})
    if promote and replaces:
        use_model(entry.key)
    present = _present()
    return entry, present is not None and present.key == entry.key


def _present() -> ModelEntry | None:
    try:
        return get_model()
    except ModelError:
        return None
