"""What a recipe of a model says, where recipes are found, and what a card keeps of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.train import TrainSettings
from napari_spineseg.datasets.crops import CropSettings
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.errors import SettingsError

RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""What its files are called in the folder for results, which they do not leave."""
_IN_CARD_ALREADY = {"card", "arguments", "input", "network", "name"}


class Stage(BaseModel):
    """A stretch of training with settings of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops: CropSettings = CropSettings()
    train: TrainSettings = TrainSettings()
    start: tuple[float, ...] = Field(
        (), description="how much each stage before counts in what it goes on from; only the last if empty"
    )


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


def card_of(
    recipe: BaseModel,
    volumes: Sequence[PreparedVolume],
    figures: dict[str, Any],
    data: Mapping[str, Any] | None = None,
    **fields: Any,
) -> ModelCard:
    """The card of a network that `recipe` made from `volumes`.

    Parameters
    ----------
    figures
        What was measured, by what it was measured on.
    data
        What is said of the data beyond its patients and how many volumes of each kind there are.
    fields
        More of the card.
    """
    return ModelCard(
        name=recipe.name,
        network=recipe.network,
        arguments=recipe.arguments,
        input=recipe.input,
        data={
            "patients": sorted({v.patient for v in volumes}, key=lambda p: (len(p), p)),
            "volumes": {kind: sum(v.kind == kind for v in volumes) for kind in ("image", "tissues")},
            **(data or {}),
        },
        training=recipe.model_dump(mode="json", exclude=_IN_CARD_ALREADY),
        figures=figures,
        **fields,
        **recipe.card,
    )
