"""Which network, and where it runs: what the forms of the pages offer."""

from __future__ import annotations

from napari_spineseg.errors import ModelError
from napari_spineseg.learning.run.starting import can_learn
from napari_spineseg.models import ModelEntry, get_model, list_models, model_in_use
from napari_spineseg.widgets.settings_form import Choices

DEVICES = [
    ("auto", "Automatic"),
    ("cpu", "Processor (CPU)"),
    ("cuda", "NVIDIA graphics card (CUDA)"),
    ("mps", "Apple graphics (MPS)"),
]
"""Where a network may run, in words; the same on every page."""


def model_choices(keys: bool = False) -> Choices:
    """Models to choose from: `name` for the version in use, `name@version` for the others.

    With `keys` their words begin with name@version, for where it matters which of two versions it is.
    """
    chosen = model_in_use()
    entries = list_models()
    if not entries:
        return [(chosen, f"{chosen} (not installed)")]
    choices = []
    for entry in entries:
        in_use = _is_in_use(entry)
        words = entry.title if in_use else f"{entry.title}, version {entry.version}"
        words = f"{entry.key}: {entry.title}" if keys else words
        choices.append((entry.name if in_use and chosen != entry.key else entry.key, words))
    return choices


def parent_choices() -> Choices:
    """Models that learning can start from, by name@version."""
    able = {entry.key for entry in list_models() if can_learn(entry)}
    return [(value, words) for value, words in model_choices(keys=True) if words.partition(": ")[0] in able]


def _is_in_use(entry: ModelEntry) -> bool:
    """Whether the plain name means this version."""
    try:
        return get_model(entry.name).key == entry.key
    except ModelError:  # the version that was in use is gone; segmenting with the name says so
        return False
