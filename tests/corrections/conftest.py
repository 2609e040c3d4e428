"""A small column that every correction test works on."""

from __future__ import annotations

import numpy as np
import pytest

SPACING = (3.0, 1.0, 1.0)


def make_column(levels: int = 4) -> np.ndarray:
    """(10, 20 * levels + 10, 44) uint16: boxes for vertebrae, discs under them, a canal behind them."""
    labels = np.zeros((10, 20 * levels + 10, 44), np.uint16)
    for level in range(1, levels + 1):
        top = 20 * (levels - level) + 4
        labels[2:8, top : top + 13, 8:26] = level
        labels[3:7, top + 14 : top + 18, 9:25] = 200 + level
    labels[4:6, 2:-2, 29:35] = 100
    return labels


@pytest.fixture
def column() -> np.ndarray:
    """Four levels, 3 x 1 x 1 mm."""
    return make_column()


@pytest.fixture
def spacing() -> tuple[float, float, float]:
    """Of the column, mm."""
    return SPACING
