"""What was measured, of what and with what: the JSON beside the table, and the report's last section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_spineseg import __version__
from napari_spineseg.anatomy import Structure, structure_of
from napari_spineseg.anatomy_words import summarise
from napari_spineseg.measurement.figures import Measurements
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.measurement.table import as_dict
from napari_spineseg.measurement.tumours import tumours_of
from napari_spineseg.scan import Scan, Segmentation


def record_of(
    measurements: Measurements,
    segmentation: Segmentation,
    scan: Scan | None = None,
    settings: MeasureSettings | None = None,
    files: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Everything a reader needs to know where the figures come from. JSON-able.

    Parameters
    ----------
    files
        What is known of the files, by "input" (the segmentation) and "scan": path and sha256.
    """
    files = files or {}
    grid, numbering = segmentation.grid, segmentation.numbering
    return {
        "input": {"name": segmentation.name, **files.get("input", {})},
        "scan": None if scan is None else {"name": scan.name, **files.get("scan", {})},
        "model": segmentation.provenance.get("model"),
        "source": dict(segmentation.provenance),
        "numbering": {"lumbar": numbering.lumbar, "thoracic": numbering.thoracic},
        "grid": {
            "shape": [int(n) for n in grid.shape],
            "spacing_mm": [round(step, 4) for step in grid.spacing],
            "orientation": grid.orientation,
        },
        "settings": (settings or MeasureSettings()).model_dump(mode="json"),
        "versions": {"spineseg": __version__, "numpy": np.__version__},
        "summary": summary_of(measurements, segmentation),
        **as_dict(measurements),
        "tumours": tumours_of(segmentation),
    }


def summary_of(measurements: Measurements, segmentation: Segmentation) -> str:
    """In words: what was measured, and how many figures are known and doubtful."""
    labels = {figure.label for figure in measurements.figures if figure.label}
    tumours = _tumours(segmentation)
    if not labels:
        return f"{summarise(tumours)}; no level to measure" if tumours else "nothing to measure"
    labels |= tumours
    figures = measurements.figures
    known = sum(figure.value is not None for figure in figures)
    doubtful = sum(bool(figure.caution) for figure in figures)
    words = f"{summarise(labels, segmentation.numbering)}: {known} of {len(figures)} figures known"
    return f"{words}, {doubtful} of them doubtful" if doubtful else words


def _tumours(segmentation: Segmentation) -> set[int]:
    """Tumours have no figures of their own, and are counted all the same."""
    return {int(n) for n in np.unique(segmentation.labels) if structure_of(int(n)) is Structure.TUMOUR}
