"""The tumours that are labelled, one by one: where each lies and how large it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spineseg.scan import Segmentation
from napari_spineseg.tumours.listing import listed

_KEPT = ("label", "level", "relation", "mm", "extent_mm", "ml", "voxels")


def tumours_of(segmentation: Segmentation) -> list[dict[str, Any]]:
    """A record of each tumour, in the order of the labels. JSON-able.

    Returns
    -------
    list
        `label` and `name`, `place` in words with its `level` and `relation`, `mm` (the largest diameter) and
        `extent_mm` along slices, rows and columns of the sagittal view, `ml`, `voxels`, and `centre_mm`, RAS.
    """
    if segmentation.scheme != "levels":
        return []
    turn = segmentation.grid.to_orientation()
    found = listed(turn.apply(segmentation.labels), turn.grid.spacing, segmentation.numbering)
    return [_row(segmentation, turn.grid.affine, tumour) for tumour in found]


def _row(segmentation: Segmentation, affine: np.ndarray, tumour: dict[str, Any]) -> dict[str, Any]:
    centre = affine @ (*tumour["centre"], 1)
    return {
        "name": segmentation.numbering.name(tumour["label"]),
        "place": tumour["where"],
        **{key: tumour[key] for key in _KEPT},
        "centre_mm": [round(float(v), 2) for v in centre[:3]],
    }
