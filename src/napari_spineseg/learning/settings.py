"""What can be chosen about learning: one settings class for the page, the command and the provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.corrections.store import default_store
from napari_spineseg.models import model_in_use


class LearnSettings(BaseModel):
    """How to learn from corrections. The form, the command's options and the provenance come from here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corrections: Path = Field(
        default_factory=default_store,
        title="Corrections",
        description="The corrections store; scans whose review is done are learnt from",
    )
    model: str = Field(
        default_factory=model_in_use,
        title="Start from",
        description="Name of the model to go on from, or NAME@VERSION; without a choice, the one in use",
        json_schema_extra={"flag": "--from"},
    )
    name: str = Field(
        "",
        title="Name",
        description="Name of the new model; without one it becomes the next version of the one it comes from",
    )
    steps: int = Field(
        0,
        ge=0,
        le=20_000,
        title="Steps",
        description="Longest training; 0 takes as many as the corrections need",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", description="Where the network trains; auto takes a GPU where there is one"
    )
    promote: bool = Field(
        True,
        title="Use it if it passes",
        description="Put the new model into use if it passes the gate; otherwise it is only kept",
        json_schema_extra={"flag": "--promote/--no-promote"},
    )
    seed: int = Field(0, ge=0, title="Seed", description="The same seed and corrections give the same model")
    batch: int = Field(
        8,
        ge=2,
        le=64,
        title="Crops a step",
        description="Crops a step: half of them corrections, half replayed",
    )
    learning_rate: float = Field(
        2e-3,
        gt=0,
        le=0.01,
        title="Learning rate",
        description="Largest step of the optimiser",
        json_schema_extra={"decimals": 5},
    )
    pull: float = Field(
        0.01,
        ge=0,
        le=10,
        title="Pull to the parent",
        description="How strongly weights are held near those of the model it comes from",
    )
    changed_weight: int = Field(
        3,
        ge=1,
        le=100,
        title="Weight of changes",
        description="How many times more a corrected voxel counts than one that was left as it was",
    )
