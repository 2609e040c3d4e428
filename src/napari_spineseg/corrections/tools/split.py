"""Cut an instance that is really two."""

from __future__ import annotations

import edt
import numpy as np
from skimage.segmentation import watershed

from napari_spineseg.anatomy import Structure, structure_of
from napari_spineseg.corrections.edit import (
    Edit,
    Spacing,
    box_of,
    edit_by_table,
    edit_where,
    join,
    nothing,
)
from napari_spineseg.corrections.tools.column import insert_level
from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Box

Point = tuple[float, float, float]


def split_between(
    labels: np.ndarray,
    label: int,
    first: Point,
    second: Point,
    spacing: Spacing,
    new_label: int | None = None,
) -> Edit:
    """Cut `label` at its waist between two points inside it (watershed of the distance to the outside).

    The part that is higher up (smaller row) becomes `new_label`. Without one, a vertebra gets the next
    number and everything above moves up by one, so that the column stays in order.

    Parameters
    ----------
    labels
        (slices, rows, columns), superior first along the rows.
    first, second
        Index of a voxel in each part.

    Raises
    ------
    SettingsError
        If a point lies outside of `label`, or both are in the same voxel.
    """
    box = box_of(labels, label)
    points = [tuple(round(v) for v in point) for point in (first, second)]
    if box is None or any(not _inside(labels, point, label) for point in points) or points[0] == points[1]:
        raise SettingsError("Click twice inside of the structure to split, once in each part.")
    inside = labels[box] == label
    markers = np.zeros(inside.shape, np.int32)
    for number, point in enumerate(sorted(points, key=lambda p: p[1]), start=1):
        markers[tuple(v - span.start for v, span in zip(point, box, strict=True))] = number
    depth = edt.edt(inside, anisotropy=spacing)
    upper = watershed(-depth, markers, mask=inside) == 1
    return _parted(labels, label, upper, box, new_label)


def split_at_line(
    labels: np.ndarray,
    label: int,
    first: Point,
    second: Point,
    spacing: Spacing,
    axis: int = 0,
    new_label: int | None = None,
) -> Edit:
    """Cut `label` along a line drawn on a slice, and straight on through the slices across `axis`.

    The line goes on beyond its ends. The part above it (smaller row) becomes `new_label`; without
    one, see `split_between`.

    Raises
    ------
    SettingsError
        If the line has no length, or leaves the structure on one side.
    """
    box = box_of(labels, label)
    if box is None:
        return nothing("There is nothing of this structure.")
    inside = labels[box] == label
    across = [n for n in range(3) if n != axis]
    start, stop = (np.array([p[n] * spacing[n] for n in across]) for p in (first, second))
    along = stop - start
    if not np.linalg.norm(along) > 0:
        raise SettingsError("Draw a line across the structure to split it.")
    grids = np.ogrid[box]
    offset = [grids[n] * spacing[n] - start[k] for k, n in enumerate(across)]
    side = along[0] * offset[1] - along[1] * offset[0]
    # What lies on the line itself goes to the lower part, whichever way the line was drawn.
    sides = [inside & np.broadcast_to(part, inside.shape) for part in (side > 0, side < 0)]
    if not all(part.any() for part in sides):
        raise SettingsError("The line does not cross the structure.")
    upper = min(sides, key=lambda part: np.nonzero(part)[1].mean())
    return _parted(labels, label, upper, box, new_label)


def _parted(labels: np.ndarray, label: int, upper: np.ndarray, box: Box, new_label: int | None) -> Edit:
    if new_label is not None:
        return edit_where(upper, new_label, box, "Split in two.")
    if structure_of(label) is not Structure.VERTEBRA:
        raise SettingsError("Say which structure the upper part is.")
    above = edit_by_table(labels, insert_level(labels, label))
    words = "Split in two, and renumbered what lies above." if len(above) else "Split in two."
    return join([edit_where(upper, label + 1, box), above], words)


def _inside(labels: np.ndarray, point: tuple[int, ...], label: int) -> bool:
    there = all(0 <= v < size for v, size in zip(point, labels.shape, strict=True))
    return there and bool(labels[point] == label)
