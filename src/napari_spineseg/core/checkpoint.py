"""A network on disk: safetensors for the numbers, a JSON card beside it for everything else.

Nothing in either file is executed when it is read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load, save
from torch import nn

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks import build_network
from napari_spineseg.errors import ModelError
from napari_spineseg.files import write_whole


class ModelCard(BaseModel):
    """Who a model is: how to build and feed it, and what a person must know before trusting it."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str = "1"
    title: str = ""
    network: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    structures: list[str] = ["background", "vertebra", "disc", "canal"]
    input: InputSpec = InputSpec()
    temperature: float = Field(1.0, gt=0, description="Divides the logits, so that shares are calibrated")
    finding_odds: tuple[float, float] | None = Field(
        None,
        description="Slope and offset that turn the log odds of a finding's surest tenth into those of its "
        "being one",
    )
    licence: str = ""
    attribution: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    figures: dict[str, Any] = Field(default_factory=dict)
    not_for: list[str] = Field(default_factory=list)
    parent: str | None = None
    sha256: str = ""
    created: str = ""


def output_structures(card: ModelCard) -> tuple[Structure, ...]:
    """The structure that each output of a card's network stands for, in their order.

    Raises
    ------
    ModelError
        If the card names one that does not exist.
    """
    found = tuple(Structure.named(name) for name in card.structures)
    if None in found:
        unknown = card.structures[found.index(None)]
        raise ModelError(f"Model {card.name} names a structure {unknown!r} that is not known here.")
    return found


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to predict (eval mode, float32, batch norms in place) and its card."""

    network: nn.Module
    card: ModelCard


def card_path(weights: Path) -> Path:
    """The card that belongs to a weights file."""
    return weights.with_suffix(".json")


def read_card(weights: Path) -> ModelCard:
    """Read and check the card beside `weights`.

    Raises
    ------
    ModelError
        If there is none, or it is not a card.
    """
    try:
        return ModelCard.model_validate_json(card_path(weights).read_bytes())
    except FileNotFoundError:
        raise ModelError(
            f"{weights.name}: its card {card_path(weights).name} is missing beside it."
        ) from None
    except (ValidationError, OSError) as error:
        raise ModelError(f"{card_path(weights).name} is not a model card: {_first_line(error)}.") from error


def load_model(weights: Path) -> LoadedModel:
    """Load `weights` (X.safetensors, with X.json beside it), checked against the card's sha256.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the weights do not fit the card's network.
    """
    card = read_card(weights)
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise ModelError(f"{weights.name} cannot be read: {error.strerror}.") from error
    if card.sha256 and hashlib.sha256(content).hexdigest() != card.sha256:
        raise ModelError(f"{weights.name} differs from what its card describes; install or import it again.")
    network = build_network(card.network, card.arguments)
    try:
        network.load_state_dict(
            {
                name: value.float() if value.is_floating_point() else value
                for name, value in load(content).items()
            }
        )
    except Exception as error:
        raise ModelError(
            f"{weights.name} does not fit its network {card.network}: {_first_line(error)}."
        ) from error
    return LoadedModel(network.eval(), card)


def save_model(network: nn.Module, card: ModelCard, weights: Path) -> ModelCard:
    """Write weights (float16) and card so that a half-written model is never seen.

    Returns the card as written, with `sha256` and `created` filled in.
    """
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    content = save(state)
    card = card.model_copy(
        update={
            "sha256": hashlib.sha256(content).hexdigest(),
            "created": card.created or datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    weights.parent.mkdir(parents=True, exist_ok=True)
    write_whole(weights, content)
    text = json.dumps(card.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"
    write_whole(card_path(weights), text)
    return card


def _first_line(error: Exception) -> str:
    return (
        str(error).strip().splitlines()[0].rstrip(".")[:200] if str(error).strip() else type(error).__name__
    )
