"""Boxes in the sagittal view of a scan, and the grids they cut out."""

from __future__ import annotations

import numpy as np

from napari_spineseg.grid import Grid

SagittalBox = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First and one past the last of slices (to the right), rows (downward), columns (to the back)."""


def box_of(mask: np.ndarray) -> SagittalBox | None:
    """The smallest box around what is not zero in a (slices, height, width) array; None if nothing is."""
    box = []
    for axis in range(3):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(inside):
            return None
        box.append((int(inside[0]), int(inside[-1]) + 1))
    return tuple(box)


def grown(box: SagittalBox, grid: Grid, margin_mm: float) -> SagittalBox:
    """A box with a margin on each side, within the sagittal view of `grid`."""
    view = grid.to_orientation().grid
    return tuple(
        (max(0, start - round(margin_mm / mm)), min(n, stop + round(margin_mm / mm)))
        for (start, stop), n, mm in zip(box, view.shape, view.spacing, strict=True)
    )


def cropped(grid: Grid, box: SagittalBox) -> Grid:
    """The part of `grid` that a box of its sagittal view cuts out, in the axis order of `grid`."""
    start, shape = np.zeros(3, int), np.zeros(3, int)
    # Row `axis` of a turn: which axis of the view the grid's own axis becomes, and whether it is flipped.
    for axis, (seen, flip) in enumerate(grid.to_orientation().turn):
        first, stop = box[int(seen)]
        start[axis] = first if flip > 0 else grid.shape[axis] - stop
        shape[axis] = stop - first
    affine = np.array(grid.affine, float)
    affine[:3, 3] += affine[:3, :3] @ start
    return Grid(tuple(int(n) for n in shape), affine)
