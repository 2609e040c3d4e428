"""Going where a figure was taken: the plane it lies in, the slice, the place."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels

from napari_spineseg.measurement import Figure
from napari_spineseg.widgets.measure.work import Result
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import centre_of, go_to, volume_axes

TURNED = "Coronal plane, seen from the front: the patient’s right is at the left."
_CORONAL = {"coronal_cobb"}
# Axes of (slices, rows, columns): the one through which the slider goes, then down, then across.
_PLANE = (2, 1, 0)
# Slices grow to the patient's right, which is at the left of who looks from the front.
_FROM_THE_FRONT = ("down", "left")


class Guide:
    """Moves the view. What lies in the coronal plane is shown in that, and only that."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: tuple[Any, Any] | None = None

    def go(self, figure: Figure, result: Result, layer: Labels) -> str:
        """Show where `figure` was taken, or its level where it is missing. Returns what to say of that."""
        said = self._turn(figure.key in _CORONAL and bool(figure.marks))
        at = place_of(figure, result)
        if at is None and figure.label:
            at = centre_of(layer.data, figure.label)
        if at is not None:
            dims = self._session.viewer.dims
            shown = volume_axes(dims.displayed, dims.ndim)
            # On a slice itself: a place between two would be shown on either.
            point = tuple(float(v if axis in shown else round(v)) for axis, v in enumerate(at))
            go_to(self._session.viewer, layer.data_to_world(point))
        return said

    def leave(self) -> None:
        """Give the plane back that was shown before."""
        if self._session.open:
            self._turn(False)

    def _turn(self, coronal: bool) -> str:
        """Turn to the coronal plane, or back to the one before, unless a person chose another meanwhile."""
        dims, camera = self._session.viewer.dims, self._session.viewer.scene.camera
        if dims.ndim != len(_PLANE) or dims.ndisplay != 2:
            return ""
        if coronal and dims.order != _PLANE:
            self._before = dims.order, camera.orientation2d
            camera.orientation2d, dims.order = _FROM_THE_FRONT, _PLANE
        elif not coronal and self._before is not None:
            order, camera.orientation2d = self._before
            if dims.order == _PLANE:
                dims.order = order
            self._before = None
        return TURNED if coronal and self._before is not None else ""


def place_of(figure: Figure, result: Result) -> np.ndarray | None:
    """(3,) index into the layer of the middle of a figure's marks; None where it has none."""
    if not figure.marks:
        return None
    return np.concatenate([result.index_of(mark) for mark in figure.marks]).mean(0)
