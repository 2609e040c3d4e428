"""Straight lines through edges that have bumps."""

from __future__ import annotations

import numpy as np

_ROUNDS = 4
# Tukey's constant: 95 % as good as least squares where there are no outliers.
_TUKEY = 4.685
# Edges of voxels are never more certain than this, mm.
_LEAST_SCALE = 0.25


def robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Level at x = 0 and slope of the line through points, by Tukey's biweight; None for fewer than four.

    Points that are not finite are left out.
    """
    fine = np.isfinite(x) & np.isfinite(y)
    x, y = x[fine], y[fine]
    if len(x) < 4 or np.ptp(x) == 0:
        return None
    level, slope = _fit(np.stack([np.ones(len(x)), x], 1), y)
    return float(level), float(slope)


def robust_bow(x: np.ndarray, y: np.ndarray) -> float:
    """Slope at x = 0 of the parabola through points, by Tukey's biweight; of the line for fewer than five."""
    columns = [np.ones(len(x)), x] + ([x**2] if len(x) > 4 else [])
    return float(_fit(np.stack(columns, 1), y)[1])


def _fit(design: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients of a robust linear model."""
    weight = np.ones(len(y))
    found = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        residual = np.abs(y - design @ found)
        scale = max(1.4826 * float(np.median(residual)), _LEAST_SCALE)
        weight = np.clip(1 - (residual / (_TUKEY * scale)) ** 2, 0, 1) ** 2 + 1e-9
    return found


def meet(along: tuple[float, float], across: tuple[float, float]) -> tuple[float, float]:
    """Where up = a + b front meets front = c + d up; (front, up)."""
    (a, b), (c, d) = along, across
    front = (c + d * a) / (1 - d * b)
    return front, a + b * front
