"""Where the viewer looks: finding a structure and moving there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

# Beyond this share of the way from the middle to the edge of the canvas, the camera moves too.
_COMFORTABLE = 0.7


def volume_axes(displayed: Iterable[int], ndim: int) -> list[int]:
    """Which of a volume's axes are displayed in a window of `ndim`: beside a time series, the last three.

    >>> volume_axes((2, 3), ndim=4)
    [1, 2]
    """
    first = ndim - 3
    return [axis - first for axis in displayed if axis >= first]


def placement_of(layer: Layer) -> dict[str, Any]:
    """Where `layer` lies, as options for another layer of the same shape to lie there too."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
    }


def add_beside(viewer: Viewer, layer: Layer, at: int | None = None) -> None:
    """Add a layer that is only looked at, on top or `at` that place from below: the selection stays."""
    layers = viewer.layers
    active = layers.selection.active
    layers.insert(len(layers) if at is None else at, layer)
    layers.selection.active = active


def centre_of(labels: np.ndarray, label: int) -> tuple[float, float, float] | None:
    """Index of the middle of `label`, on the slice that shows most of it; None if it is nowhere.

    `labels: (slices, height, width)`
    """
    areas = [int(np.count_nonzero(plane == label)) for plane in labels]
    if not any(areas):
        return None
    index = int(np.argmax(areas))
    rows, columns = np.nonzero(np.asarray(labels[index]) == label)
    return float(index), float(rows.mean()), float(columns.mean())


def go_to(viewer: Viewer, point: tuple[float, ...]) -> None:
    """Show the slice through `point` (world, mm) and, where it is near the edge or outside, centre it."""
    dims = viewer.dims
    dims.set_point(range(dims.ndim - len(point), dims.ndim), point)
    camera = viewer.scene.camera
    shown = volume_axes(dims.displayed, dims.ndim)
    target = np.asarray(point)[shown]
    centre = np.asarray(camera.center)[-len(shown) :]
    reach = np.asarray(viewer.canvas.size)[-2:] / (2 * camera.zoom)
    if dims.ndisplay == 3 or np.any(np.abs(target - centre) > _COMFORTABLE * reach):
        camera.center = (0.0,) * (3 - len(shown)) + tuple(float(v) for v in target)


def bring_into_view(viewer: Viewer, layer: Layer) -> None:
    """Move the slider to the middle of `layer` if it stands where `layer` has no slice.

    Each scan has its own place and size; whoever goes over to another one would else look on at the first.
    """
    low, high = np.asarray(layer.extent.world)
    half = np.abs(np.asarray(layer.extent.step)) / 2
    first = viewer.dims.ndim - len(low)
    point = np.asarray(viewer.dims.point)[first:]
    for shown in viewer.dims.not_displayed:
        axis = shown - first
        if axis >= 0 and not low[axis] - half[axis] <= point[axis] <= high[axis] + half[axis]:
            viewer.dims.set_point(shown, (low[axis] + high[axis]) / 2)


def sagittal_index(viewer: Viewer, layer: Layer) -> int | None:
    """Which sagittal slice of `layer` is shown; None while the view is another plane or 3D."""
    if viewer.dims.ndisplay != 2 or 0 in volume_axes(viewer.dims.displayed, viewer.dims.ndim):
        return None
    index = round(float(layer.world_to_data(viewer.dims.point)[0]))
    return index if 0 <= index < layer.data.shape[0] else None
