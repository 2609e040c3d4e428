"""Where the network guessed: the balls that hold most of the error to be expected.

A network is a little unsure along every border. What a person should see are the places where much
is unsure together; so expected errors are added up in a ball, the ball with the most is the first
place, what it covers is set to zero, and so on (greedy cover).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Numbering, Scheme, names_of
from napari_spineseg.corrections.doubt.place import Doubt
from napari_spineseg.corrections.edit import Spacing

RADIUS_MM = 8.0
"""What a person takes in at one look."""
# Sums are made on cells of about this size, mm.
_CELL_MM = 2.0
# Less expected error than this, ml, is not worth a look.
_LEAST_ML = 0.02
_CLASSES_BITS = 2.0


def unsure_places(
    labels: np.ndarray,
    uncertainty: np.ndarray,
    spacing: Spacing,
    numbering: Numbering,
    scheme: Scheme,
    most: int,
    known: Sequence[tuple[float, float, float]] = (),
) -> list[Doubt]:
    """At most `most` places, the most uncertain first; none where one of `known` is already."""
    factors = [max(1, round(_CELL_MM / step)) for step in spacing]
    cells = _block_sums(expected_error(uncertainty), factors)
    size = [step * factor for step, factor in zip(spacing, factors, strict=True)]
    cells *= float(np.prod(spacing)) / 1000.0
    for point in known:
        cells[_ball(cells.shape, [p / f for p, f in zip(point, factors, strict=True)], size)] = 0
    kernel = _kernel(size)
    out = []
    for _ in range(most):
        sums = ndimage.convolve(cells, kernel, mode="constant")
        centre = np.unravel_index(sums.argmax(), sums.shape)
        score = float(sums[centre])
        if score < _LEAST_ML:
            break
        covered = _ball(cells.shape, centre, size)
        point = _most_unsure(cells, covered, factors, labels.shape)
        label = _label_near(labels, point, spacing)
        name = names_of([label], scheme, numbering)[label]
        words = f"The model is unsure about {name}" if label else "The model is unsure what this is"
        out.append(Doubt("unsure", words, point, label, score))
        cells[covered] = 0
    return out


def expected_error(uncertainty: np.ndarray) -> np.ndarray:
    """Probability that a voxel is wrong, from its entropy as a share of the largest (four classes).

    Doubt is mostly between two classes. The inverse of binary entropy is close to h² / 2.
    """
    bits = np.minimum(uncertainty.astype(np.float32) * _CLASSES_BITS, 1.0)
    return 0.5 * bits**2


def _block_sums(values: np.ndarray, factors: list[int]) -> np.ndarray:
    """Sums over blocks; the last ones may be cut off."""
    for axis, factor in enumerate(factors):
        values = np.add.reduceat(values, np.arange(0, values.shape[axis], factor), axis=axis)
    return values


def _kernel(size: list[float]) -> np.ndarray:
    reach = [int(RADIUS_MM / step) for step in size]
    grids = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    return (_squared(grids, size) <= RADIUS_MM**2).astype(np.float32)


def _ball(shape: tuple[int, ...], centre: Sequence[float], size: list[float]) -> np.ndarray:
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    return _squared([grid - c for grid, c in zip(grids, centre, strict=True)], size) <= RADIUS_MM**2


def _squared(grids: Sequence[np.ndarray], size: list[float]) -> np.ndarray:
    return sum((grid * step) ** 2 for grid, step in zip(grids, size, strict=True))


def _most_unsure(
    cells: np.ndarray, covered: np.ndarray, factors: list[int], shape: tuple[int, ...]
) -> tuple[float, float, float]:
    """Voxel index of the densest cell in the ball: its middle may lie between two borders."""
    inside = np.where(covered, cells, -1)
    densest = np.unravel_index(inside.argmax(), cells.shape)
    middles = ((c + 0.5) * f - 0.5 for c, f in zip(densest, factors, strict=True))
    return tuple(float(np.clip(round(m), 0, n - 1)) for m, n in zip(middles, shape, strict=True))


def _label_near(labels: np.ndarray, point: tuple[float, ...], spacing: Spacing) -> int:
    """The label there is most of within a few mm; 0 if there is none."""
    reach = [max(1, int(4.0 / step)) if step < 4.0 else 0 for step in spacing]
    box = tuple(slice(max(0, int(p) - r), int(p) + r + 1) for p, r in zip(point, reach, strict=True))
    near = np.bincount(labels[box].ravel())
    near[0] = 0
    return int(near.argmax()) if near.any() else 0
