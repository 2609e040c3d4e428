"""The direct label map: SPIDER's numbers to structures, resized class by class. Nothing to repair."""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing.resample import respaced


def direct_map(levels: np.ndarray, height: int = 640, width: int = 512) -> np.ndarray:
    """SPIDER labels (slices, h, w) as structures (slices, height, width), uint8.

    1–25 vertebra, 100 canal, 201–225 disc; each pixel takes the structure that covers most of it.
    """
    from napari_spineseg.preprocessing.regrid_labels import regrid_labels

    structures = levels_to_structures(levels)
    grid = Grid(structures.shape, np.eye(4))
    target = respaced(grid, [1.0, structures.shape[1] / height, structures.shape[2] / width])
    return regrid_labels(structures, grid, target)
