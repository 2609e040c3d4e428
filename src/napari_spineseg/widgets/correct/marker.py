"""A ring in the picture around the place to look at: without it, a person has a slice and no place."""

from __future__ import annotations

import numpy as np
from napari.layers import Labels, Points
from qtpy.QtCore import QObject

from napari_spineseg.widgets.known import KEY
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import add_beside, placement_of

_NAME = "look here"
_RING_MM = 16.0
_COLOUR = "#ffd166"


class PlaceMarker(QObject):
    """A passing layer, like a preview: it takes no clicks and goes with the place."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.layer: Points | None = None

    def show_at(self, labels: Labels, point: tuple[float, float, float]) -> None:
        """Put the ring around index `point` of `labels`."""
        # On the slice itself: a place between two would be shown on neither.
        at = np.array([[round(point[0]), point[1], point[2]]], float)
        if self._there() and np.array_equal(self.layer.scale, labels.scale):
            self.layer.data = at
            self.layer.selected_data = set()
            return
        self.clear()
        self.layer = _ring(labels, at)
        add_beside(self._session.viewer, self.layer)

    def clear(self) -> None:
        """Take the ring away."""
        if self._there():
            self._session.viewer.layers.remove(self.layer)
        self.layer = None

    def _there(self) -> bool:
        """Whether it is shown; a person may have removed it."""
        return self.layer is not None and self._session.open and self.layer in layers_of(self._session.viewer)


def _ring(labels: Labels, at: np.ndarray) -> Points:
    layer = Points(
        at,
        name=_NAME,
        size=_RING_MM / float(np.mean(labels.scale[-2:])),
        face_color="transparent",
        border_color=_COLOUR,
        border_width=0.06,
        border_width_is_relative=True,
        metadata={KEY: {"kind": "marker"}},
        **placement_of(labels),
    )
    layer.editable = False
    layer.selected_data = set()
    return layer
