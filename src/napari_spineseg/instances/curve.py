"""Smooth curves through noisy rows: the one piece of numerics that the column needs."""

from __future__ import annotations

import numpy as np


def smooth_curve(
    at: np.ndarray, where: np.ndarray, values: np.ndarray, weights: np.ndarray, bandwidth: float
) -> np.ndarray:
    """Robust local linear regression (Cleveland's LOWESS with a Gaussian kernel), extrapolating straight.

    Parameters
    ----------
    at
        (n,) positions to evaluate, mm.
    where, values, weights
        (m,) positions, values and their trust; `weights` need not be normalised.
    bandwidth
        Standard deviation of the kernel, mm.

    Returns
    -------
    numpy.ndarray
        (n,) float64.
    """
    trust = weights.astype(float)
    for _ in range(2):
        residual = np.abs(values - _local_linear(where, where, values, trust, bandwidth))
        scale = max(_weighted_median(residual, weights), 1.0)
        trust = weights * np.clip(1 - (residual / (6 * scale)) ** 2, 0, 1) ** 2
    return _local_linear(at, where, values, trust, bandwidth)


def _local_linear(at, where, values, weights, bandwidth) -> np.ndarray:
    """Weighted straight-line fit around each position."""
    inside = np.clip(at, where.min(), where.max())
    offset = where[None] - inside[:, None]
    # The floor keeps far rows in play, so that a gap wider than the kernel is bridged smoothly.
    kernel = (np.exp(-0.5 * (offset / bandwidth) ** 2) + 1e-6) * weights[None]
    total, first, second = kernel.sum(1), (kernel * offset).sum(1), (kernel * offset**2).sum(1)
    zeroth, moment = kernel @ values, (kernel * offset) @ values
    ridge = total * (0.2 * bandwidth) ** 2
    determinant = total * (second + ridge) - first**2 + 1e-12
    level = ((second + ridge) * zeroth - first * moment) / determinant
    slope = (total * moment - first * zeroth) / determinant
    return level + slope * (at - inside)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """The value that splits the weight in halves."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def row_medians(counts: np.ndarray) -> np.ndarray:
    """Median column of each row of a (rows, columns) count; meaningless where a row is empty."""
    total = np.cumsum(counts, axis=1)
    return (total >= total[:, -1:] / 2).argmax(1)
