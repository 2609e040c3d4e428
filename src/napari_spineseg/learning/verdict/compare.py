"""Two models on one scan: both results, where they differ, and how far they agree, structure by structure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.models import ModelEntry, get_model
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation


@dataclass(frozen=True, eq=False)
class Comparison:
    """What two models make of a scan.

    Attributes
    ----------
    results
        Of the first and of the second, in the `levels` scheme, on the scan's grid.
    difference
        In the `structures` scheme: what the second says where it differs from the first, and 5 where it
        says background there. A layer of it shows the changes and nothing else.
    dice
        Agreement by structure title, and "mean"; NaN for what neither sees.
    ml
        Millilitres by structure title: of the first, and of the second.
    """

    models: tuple[ModelEntry, ModelEntry]
    results: tuple[Segmentation, Segmentation]
    difference: Segmentation
    dice: dict[str, float]
    ml: dict[str, tuple[float, float]]

    @property
    def sentence(self) -> str:
        """In words."""
        first, second = (entry.key for entry in self.models)
        changed = int(np.count_nonzero(self.difference.labels))
        if not changed:
            return f"{first} and {second} say the same."
        parts = ", ".join(
            f"{title} {value:.3f}" for title, value in self.dice.items() if math.isfinite(value)
        )
        return f"{first} and {second} differ in {changed} voxels; Dice between them: {parts}."


GONE = 5
"""What `Comparison.difference` says where the second model sees background and the first did not."""


def compare_models(
    scan: Scan, first: str, second: str, device: str = "auto", control: Control | None = None
) -> Comparison:
    """Segment `scan` with two models (`name` or `name@version`) and compare.

    Raises
    ------
    ModelError
        If one is unknown or damaged.
    Stopped
        If `control` said so.
    """
    from napari_spineseg.segment import SegmentSettings, segment

    models = get_model(first), get_model(second)
    results = tuple(
        segment(scan, SegmentSettings(model=entry.key, device=device), control).segmentation
        for entry in models
    )
    seen = [levels_to_structures(result.labels) for result in results]
    differs = np.where(seen[0] == seen[1], 0, np.where(seen[1] == 0, GONE, seen[1])).astype(np.uint16)
    name = f"{scan.name}: {models[0].key} against {models[1].key}"
    difference = Segmentation(differs, scan.affine, name=name, scheme="structures")
    sizes = [np.bincount(s.ravel(), minlength=len(Structure)) for s in seen]
    both = np.bincount(seen[0][seen[0] == seen[1]].ravel(), minlength=len(Structure))
    return Comparison(models, results, difference, _dice(both, *sizes), _ml(sizes, scan.grid.voxel_ml))


def _dice(both: np.ndarray, first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    found = {
        s.title: 2 * float(both[s]) / float(first[s] + second[s]) if first[s] + second[s] else math.nan
        for s in Structure
        if s
    }
    known = [value for value in found.values() if math.isfinite(value)]
    return found | {"mean": sum(known) / len(known) if known else math.nan}


def _ml(sizes: list[np.ndarray], voxel_ml: float) -> dict[str, tuple[float, float]]:
    return {s.title: tuple(round(float(n[s]) * voxel_ml, 3) for n in sizes) for s in Structure if s}
