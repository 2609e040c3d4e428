"""What a recipe of a tumour model says, and how one is told from a recipe of the anatomy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.core.enhanced_sgd import OptimiserSettings
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.learning.recipe import RecipeName
from napari_spineseg.learning.tumour.patch import PatchSettings

LossName = Literal["pooled", "hardest"]
"""`cross_entropy_dice` over a whole batch, or `hardest_dice`, patch by patch."""


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
