"""Networks kept in memory between scans. torch is imported when the first one is loaded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spineseg.models.registry import ModelEntry

if TYPE_CHECKING:
    from napari_spineseg.core.checkpoint import LoadedModel


def loaded_model(entry: ModelEntry) -> LoadedModel:
    """The network of `entry`, kept in memory between scans.

    Raises
    ------
    ModelError
        If its files are damaged.
    """
    return _load(entry.weights, entry.sha256)


# Two: one that knows the anatomy and one that looks for tumours. The hash is there since a model that was
# replaced on disk has another, and is read again.
@lru_cache(maxsize=2)
def _load(weights: Path, sha256: str) -> LoadedModel:
    from napari_spineseg.core.checkpoint import load_model

    return load_model(weights)
