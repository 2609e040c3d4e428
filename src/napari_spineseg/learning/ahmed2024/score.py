"""Every figure of the published table, for one network on the slices that are tested."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.core.metrics import agreement, mean_of
from napari_spineseg.core.predict import PredictOptions, predict
from napari_spineseg.datasets.prepared import resized_labels
from napari_spineseg.grid import sagittal_affine
from napari_spineseg.learning.ahmed2024.published import NETWORK, predict_slices
from napari_spineseg.learning.ahmed2024.slices import NETWORK_SIZE, STRUCTURES, SliceSet, Stack
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

CLASSES = (Structure.DISC, Structure.VERTEBRA, Structure.CANAL)
"""In the order of the published table."""

TOLERANCE_MM = 1.0
"""Of NSD. The paper does not print its own."""


def score(
    model: LoadedModel, slices: SliceSet, rows: np.ndarray, options: PredictOptions, control: Control
) -> dict[str, Any]:
    """Figures a structure, on two grids and in the paper's stacked way.

    Returns
    -------
    `published_grid`
        Means over slices, on the 256 × 256 pixels that the paper scores: IoU, Dice, precision,
        recall, F1, NSD (shares), ASD, ASSD and HD95 (mm).
    `own_grid`
        The same on the slices' own 640 × 512 pixels.
    `stacked`
        ASD (pixels) and NSD (tolerance: 1 pixel) of the slices piled up, in the order given, into
        one volume of unit voxels, as the paper computed them. Neighbours in that pile have nothing
        to do with each other, so nearly every voxel is a surface voxel with another surface beside
        it: both figures come out far too good. For comparison with the paper only.
    """
    own = _predicted(model, slices, rows, options, control)
    if model.card.network == NETWORK:
        small = predict_slices(model.network, slices.images[rows])
    else:
        small = np.concatenate([resized_labels(o[None], NETWORK_SIZE, range(STRUCTURES)) for o in own])
    reference = slices.structures[rows]
    stacks = [slices.stacks[slices.stack[i]] for i in rows]
    own_reference = [s.structures[slices.place[i]] for s, i in zip(stacks, rows, strict=True)]
    return {
        "published_grid": _means(reference, small, [_squeezed(s) for s in stacks]),
        "own_grid": _means(own_reference, own, [s.spacing[1:] for s in stacks]),
        "stacked": {c.title: _stacked(reference == c, small == c) for c in CLASSES if (reference == c).any()},
    }


def _predicted(
    model: LoadedModel, slices: SliceSet, rows: np.ndarray, options: PredictOptions, control: Control
) -> list[np.ndarray]:
    """Structures of each row on its own grid, as `segment` would find them."""
    found: dict[int, np.ndarray] = {}
    wanted = np.unique(slices.stack[rows])
    for done, s in enumerate(wanted, start=1):
        found[int(s)] = predict(as_scan(slices.stacks[s]), model, options).structures
        control.step("Testing", done, len(wanted))
    return [found[int(slices.stack[i])][slices.place[i]] for i in rows]


def as_scan(stack: Stack) -> Scan:
    """A stack as a scan: slices to the right, rows down, columns to the back."""
    return Scan(stack.images, sagittal_affine(stack.spacing), stack.name)


def _squeezed(stack: Stack) -> tuple[float, float]:
    """mm between rows and columns of the published network's grid."""
    return tuple(
        mm * n / m for mm, n, m in zip(stack.spacing[1:], stack.images.shape[1:], NETWORK_SIZE, strict=True)
    )


def _means(references: Any, predictions: Any, spacings: list[tuple[float, float]]) -> dict[str, Any]:
    """Mean over slices that have a structure in either; the mean of the three besides."""
    rows: dict[str, list[dict[str, float]]] = {c.title: [] for c in CLASSES}
    for reference, predicted, spacing in zip(references, predictions, spacings, strict=True):
        for c in CLASSES:
            a, b = reference == c, predicted == c
            if a.any() or b.any():
                rows[c.title].append(agreement(a, b, spacing, TOLERANCE_MM).figures())
    means = {name: mean_of(found) for name, found in rows.items() if found}
    means |= {"mean": mean_of(list(means.values()))}
    return {name: _known(figures) for name, figures in means.items()}


def _stacked(reference: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    figures = agreement(reference, predicted, (1.0, 1.0, 1.0), 1.0)
    return _known({"asd_px": figures.asd, "nsd": figures.nsd})


def _known(figures: dict[str, float]) -> dict[str, float | None]:
    """What cannot be known is None, which JSON can say."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}
