"""How alike a voxel looks to what was clicked on, where no model helps: a classifier fitted on the spot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Voxels that are learnt from; more say nothing new.
_SAMPLES = 4000
_RIDGE = 1e-3
_GAIN = 6.0

Said = tuple[tuple[int, int, int], float]


def likeness(grey: np.ndarray, inside: np.ndarray, clicks: Sequence[Said]) -> np.ndarray:
    """Logits of belonging to the structure, (the shape of `grey`) float32.

    Ridge regression on the grey value and its square. It learns from the labels as they are, and from
    the clicks, which together weigh as much as all labels.

    Parameters
    ----------
    grey
        (slices, rows, columns), most of it between 0 and 1.
    inside
        The same shape: what is labelled now.
    clicks
        (index, 1 or -1): what belongs to the structure, and what does not.
    """
    step = max(1, grey.size // _SAMPLES)
    values, target = grey.ravel()[::step], np.where(inside.ravel()[::step], 1.0, -1.0)
    weight = np.ones(len(values))
    # Inside and outside count alike, whichever there is more of.
    for side in (target > 0, target < 0):
        weight[side] /= max(int(side.sum()), 1)
    said = np.array([says for _, says in clicks])
    design = np.concatenate([_design(values), _design(np.array([grey[index] for index, _ in clicks]))])
    target = np.concatenate([target, said])
    weight = np.concatenate([weight, np.full(len(said), weight.sum() / max(len(said), 1))])
    scaled = design * weight[:, None]
    fitted = np.linalg.solve(scaled.T @ design + _RIDGE * np.eye(design.shape[1]), scaled.T @ target)
    score = fitted[0] + fitted[1] * (grey - 0.5) + fitted[2] * (grey - 0.5) ** 2
    return (_GAIN * score).astype(np.float32)


def _design(values: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(values), values - 0.5, (values - 0.5) ** 2], 1)
