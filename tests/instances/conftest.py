"""A lumbar spine drawn with rulers, so that every voxel's true label is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL

SPACING = (4.0, 1.5, 1.5)
_PITCH, _DISC, _MIDDLE = 34.0, 8.0, 42.0
# Front end lower = negative, degrees: L5/S1, L4/L5 and upward.
_SLOPES = (-32, -13, -4, 4, 8, 8, 8, 8)


def draw_spine(
    vertebrae: int = 6,
    room: float = 45.0,
    slopes: tuple[float, ...] = _SLOPES,
    spacing: tuple[float, float, float] = SPACING,
) -> np.ndarray:
    """(slices, rows, columns) uint16 `levels` of a spine: bodies, pedicles, laminae, spinous processes.

    Vertebra n has its disc below it; `room` mm lie free below the lowest disc's middle. The topmost
    vertebra is cut by the upper border.
    """
    height = (vertebrae - 0.4) * _PITCH + room
    size = (60.0, height, 110.0)
    shape = tuple(round(s / step) for s, step in zip(size, spacing, strict=True))
    z, y, x = np.meshgrid(
        *((np.arange(n) + 0.5) * s for n, s in zip(shape, spacing, strict=True)), indexing="ij"
    )
    z, x = np.abs(z - size[0] / 2), x - _MIDDLE
    levels = np.zeros(shape, np.uint16)
    levels[(x > 18) & (x < 30) & (z < 9) & (y < height - room / 3)] = CANAL_LABEL
    disc_at = [height - room - n * _PITCH for n in range(vertebrae)]
    surface = [
        at + np.tan(np.radians(s)) * np.clip(x, -18, 18) for at, s in zip(disc_at, slopes, strict=False)
    ]
    surface.append(np.full(shape, -1e3))
    for n in range(vertebrae):
        below, above = surface[n] - y, y - surface[n + 1]
        body = (np.abs(x) < 16) & (z < 20) & (below > _DISC / 2) & (above > _DISC / 2)
        levels[body | _posterior(x, y - (disc_at[n] - _PITCH), z)] = n + 1
        levels[(np.abs(x) < 16) & (z < 20) & (np.abs(below) < _DISC / 2 - 1.5)] = FIRST_DISC_LABEL + n
    return levels


def _posterior(x: np.ndarray, down: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Posterior elements; `down` is mm below the disc above, at the centre line."""
    pedicle = (x > 12) & (x < 32) & (z > 10) & (z < 18) & (down > 7) & (down < 17)
    lamina = (x >= 31) & (x < 36) & (z < 14) & (down > 10) & (down < 34)
    spinous = (x >= 35) & (x < 60) & (z < 4) & (down > 20) & (down < 38)
    return pedicle | lamina | spinous


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """The function that draws a spine."""
    return draw_spine


@pytest.fixture(scope="session")
def truth() -> np.ndarray:
    """Levels of six vertebrae, L5 up to a cut T12. Read-only."""
    levels = draw_spine()
    levels.setflags(write=False)
    return levels
