"""The whole table in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.errors import ModelError
from napari_spineseg.learning.chen2024.measure import held_out, patch_level, scan_level
from napari_spineseg.learning.chen2024.settings import MeasureSettings
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control


def chen2024(settings: MeasureSettings, prepared: Path, control: Control = Control()) -> dict[str, Any]:
    """Measure a tumour model on the held-out patients of `prepared`. JSON-able.

    Raises
    ------
    ModelError
        If the model does not look for tumours.
    DatasetError
        If there are no prepared volumes.
    """
    entry = get_model(settings.model)
    if entry.structures != ("tumour",):
        raise ModelError(
            f"Model {entry.name} does not look for tumours alone; choose `tumour` or one made from it."
        )
    volumes = held_out(prepared)
    some = volumes[:: settings.every]
    model = load_model(entry.weights)
    control.step("Measuring patches", 0, settings.batches)
    return {
        "model": {"name": entry.name, "version": entry.version, "sha256": entry.sha256},
        "settings": settings.model_dump(mode="json"),
        "patches": patch_level(model, volumes, settings),
        "scans": scan_level(model, some, settings, control=control),
        "tumour_free": scan_level(model, some, settings, tumours=False, control=control),
    }
