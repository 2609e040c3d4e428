"""Where the network guessed: the looks that hold most of the error to be expected.

A network is a little unsure along every border. What a person should see are the places where much
is unsure together; so expected errors are added up over a look, the place with the most is the first,
what is seen from it is set to zero, and so on (greedy cover).
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import Numbering, Scheme, names_of
from napari_spineseg.corrections.doubt.look import Cells, Point
from napari_spineseg.corrections.doubt.place import Doubt
from napari_spineseg.corrections.edit import Spacing

# Less expected error than this, ml, is not worth a look.
_LEAST_ML = 0.02
_CLASSES_BITS = 2.0


def expected_cells(uncertainty: np.ndarray, spacing: Spacing) -> Cells:
    """Millilitres that are probably wrong, a cell."""
    cells = Cells.of(expected_error(uncertainty), spacing)
    cells.values[:] *= float(np.prod(spacing)) / 1000.0
    return cells


def expected_error(uncertainty: np.ndarray) -> np.ndarray:
    """Probability that a voxel is wrong, from its entropy as a share of the largest (four classes).

    Doubt is mostly between two classes. The inverse of binary entropy is close to h² / 2.
    """
    bits = np.minimum(uncertainty.astype(np.float32) * _CLASSES_BITS, 1.0)
    return 0.5 * bits**2


def unsure_places(
    labels: np.ndarray, cells: Cells, numbering: Numbering, scheme: Scheme, most: int
) -> list[Doubt]:
    """At most `most` places, the most uncertain first. What is seen from them is taken out of `cells`."""
    out = []
    for _ in range(most):
        cell, score = cells.most()
        if score < _LEAST_ML:
            break
        # Where most can be seen from is often beside it; its middle is what to look at.
        middle = _middle(np.where(cells.seen_from(cell), cells.values, 0))
        seen = cells.seen_from(middle)
        score = float(cells.values[seen].sum())
        point = cells.point_of(middle, labels.shape)
        densest = cells.point_of(_densest(cells.values, seen), labels.shape)
        label = _label_near(labels, densest, cells.spacing)
        name = names_of([label], scheme, numbering)[label]
        words = f"The model is unsure about {name}" if label else "The model is unsure what this is"
        out.append(Doubt("unsure", words, point, label, score))
        cells.values[seen] = 0
    return out


def _middle(values: np.ndarray) -> Point:
    """Centre of mass."""
    grids, total = np.ogrid[tuple(slice(0, n) for n in values.shape)], values.sum()
    return tuple(float((values * grid).sum() / total) for grid in grids)


def _densest(values: np.ndarray, seen: np.ndarray) -> Point:
    """The densest cell that is seen: that is what the doubt is about."""
    cell = np.unravel_index(np.where(seen, values, -1).argmax(), values.shape)
    return tuple(int(c) for c in cell)


def _label_near(labels: np.ndarray, point: Point, spacing: Spacing) -> int:
    """The label there is most of within a few mm; 0 if there is none."""
    reach = [max(1, int(4.0 / step)) if step < 4.0 else 0 for step in spacing]
    box = tuple(slice(max(0, int(p) - r), int(p) + r + 1) for p, r in zip(point, reach, strict=True))
    near = np.bincount(labels[box].ravel())
    near[0] = 0
    return int(near.argmax()) if near.any() else 0
