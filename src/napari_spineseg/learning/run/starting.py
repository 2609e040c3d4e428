"""Which models learning can start from. No torch: the card tells."""

from __future__ import annotations

from napari_spineseg.errors import ModelError
from napari_spineseg.models import ModelEntry, get_model


def can_learn(entry: ModelEntry) -> bool:
    """Whether a model sees crops at a spacing in mm, as training cuts them, not slices of one size."""
    spec = entry.card.get("input")
    spec = spec if isinstance(spec, dict) else {}
    return spec.get("size_px") is None and spec.get("normalise", "zscore") == "zscore"


def model_to_learn_from(name: str) -> ModelEntry:
    """The version that `name` or `name@version` means.

    Raises
    ------
    ModelError
        If there is none, or it cannot learn.
    """
    entry = get_model(name)
    if not can_learn(entry):
        raise ModelError(
            f"{entry.key} was trained on slices squeezed to one size and cannot learn here; start "
            "from another model."
        )
    return entry
