"""A box drawn in the picture says what a crop leaves."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import QObject, Signal

from napari_spineseg.errors import SettingsError
from napari_spineseg.preprocessing.crop import Crop
from napari_spineseg.widgets.known import KEY
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.session import Session, layers_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_spineseg.grid import Grid

_START_SHARE = 0.1  # a new box leaves this much out on each side
_COLOUR = "#ffb000"


class CropBox(QObject):
    """A rectangle over all sagittal slices; its sides are head, feet, front and back of a `Crop`."""

    drawn = Signal(object)
    """The `Crop` that the person drew."""
    ended = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Shapes | None = None
        self._hidden: Shapes | None = None
        self._crop = Crop()
        self._to_grid = np.eye(4)
        self._grid: Grid | None = None
        self._busy = False
        while_alive(self, session.layers_changed, self._on_layers)

    @property
    def layer(self) -> Shapes | None:
        """The layer with the box, while there is one."""
        return self._layer

    def start(self, scan_layer: Image, seen: Grid, grid: Grid, crop: Crop) -> None:
        """Show the box of `crop`.

        Parameters
        ----------
        seen
            The grid of the scan that `scan_layer` shows.
        grid
            The grid that `crop` will find, after the steps before it.
        """
        self._to_grid = np.linalg.inv(_view(grid).affine) @ _view(seen).affine
        self._grid, self._crop = grid, crop
        sides = (crop.head_mm, crop.feet_mm, crop.front_mm, crop.back_mm)
        if not any(sides):
            self._crop = _inset(crop, grid)
        viewer = self._session.viewer
        layer = self._hidden if self._hidden in layers_of(viewer) else _new_layer()
        layer.scale, layer.translate = scan_layer.scale[-2:], scan_layer.translate[-2:]
        layer.units = scan_layer.units[-2:]
        layer.data = []
        layer.add_rectangles(
            [self._corners(self._crop)], face_color="transparent", edge_color=_COLOUR, edge_width=2
        )
        layer.visible = True
        if layer not in layers_of(viewer):
            viewer.layers.append(layer)
        self._layer = layer
        self._layer.mode = "select"
        self._layer.selected_data = {0}
        self._layer.events.data.connect(self._on_data)
        viewer.layers.selection.active = self._layer
        if self._crop is not crop:
            self.drawn.emit(self._crop)

    def stop(self) -> None:
        """Take the box away; the settings stay."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.events.data.disconnect(self._on_data)
        if layer in layers_of(self._session.viewer):
            # Hidden, not removed: vispy 0.17 draws an image that was added after a shapes layer from
            # freed memory once that layer is gone, which ends the program.
            layer.mode = "pan_zoom"
            layer.visible = False
            self._hidden = layer
            if self._session.viewer.layers.selection.active is layer and self._session.scan is not None:
                self._session.viewer.layers.selection.active = self._session.scan
        self.ended.emit()

    def show(self, crop: Crop) -> None:
        """Move the box to where these settings put it."""
        if self._layer is None or crop == self._crop:
            return
        self._crop = crop
        try:
            corners = self._corners(crop)
        except SettingsError:  # nothing would be left; the preview says so
            return
        with self._by_us():
            self._layer.data = [corners]
            self._layer.selected_data = {0}

    def _on_data(self, event: object = None) -> None:
        if self._busy or self._layer is None or not len(self._layer.data):
            return
        corners = np.asarray(self._layer.data[-1], float)[:, -2:]
        try:
            crop = self._crop_of(corners)
        except SettingsError:
            return
        if crop != self._crop:
            self._crop = crop
            self.drawn.emit(crop)

    def _on_layers(self) -> None:
        if self._layer is not None and self._layer not in layers_of(self._session.viewer):
            self.stop()

    def _crop_of(self, corners: np.ndarray) -> Crop:
        """(n, 2) rows and columns in the picture -> margins, in whole voxels of the grid."""
        places = np.column_stack([np.zeros(len(corners)), corners, np.ones(len(corners))])
        index = (self._to_grid @ places.T)[1:3]
        shape = _view(self._grid).shape
        box = self._crop.box(self._grid)
        edges = []
        for values, n in zip(index, shape[1:], strict=True):
            start = int(np.clip(round(values.min() + 0.5), 0, n - 1))
            edges.append((start, int(np.clip(round(values.max() + 0.5), start + 1, n))))
        return Crop.around((box[0], *edges), self._grid)

    def _corners(self, crop: Crop) -> np.ndarray:
        """(4, 2) rows and columns in the picture of what `crop` leaves, at the edges of its voxels."""
        _, (top, bottom), (front, back) = crop.box(self._grid)
        index = [(top, front), (top, back), (bottom, back), (bottom, front)]
        places = np.array([(0, row - 0.5, column - 0.5, 1) for row, column in index], float)
        return (np.linalg.inv(self._to_grid) @ places.T)[1:3].T

    @contextmanager
    def _by_us(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False


def _new_layer() -> Shapes:
    return Shapes(ndim=2, name="crop box", metadata={KEY: {"kind": "box"}})


def _view(grid: Grid) -> Grid:
    return grid.to_orientation().grid


def _inset(crop: Crop, grid: Grid) -> Crop:
    """A first box to draw at: somewhat smaller than the picture."""
    _, height, width = _view(grid).shape
    rows, columns = round(_START_SHARE * height), round(_START_SHARE * width)
    box = crop.box(grid)
    return Crop.around((box[0], (rows, height - rows), (columns, width - columns)), grid)
