"""The dock with the axial and coronal views, which the Correct page opens and closes."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_spineseg.widgets.correct.linked_views import LinkedViews
from napari_spineseg.widgets.session import Session


class LinkedDock(QObject):
    """Made when it is first asked for; hidden and shown from then on."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._dock: QWidget | None = None
        self._layers: tuple[Image | None, Labels | None] = (None, None)
        self._point: np.ndarray | None = None
        """Where a page has gone last, for views that are opened later."""
        self.views: LinkedViews | None = None

    def toggle(self) -> None:
        """Show it or hide it."""
        if self._dock is not None:
            self._dock.setVisible(not self._dock.isVisible())
            return
        self.views = LinkedViews(self._session)
        window = self._session.viewer.window
        # Below the picture: beside it they would push the page together, which is long.
        self._dock = window.add_dock_widget(self.views, name="Axial and coronal", area="bottom")
        self._dock.destroyed.connect(self._on_gone)
        self.views.show_layers(*self._layers)
        if self._point is not None:
            self.views.go(self._point)

    def show_layers(self, scan: Image | None, labels: Labels | None) -> None:
        """Show these from now on."""
        if labels is not self._layers[1]:
            self._point = None
        self._layers = scan, labels
        if self.views is not None:
            self.views.show_layers(scan, labels)

    def go(self, point: np.ndarray) -> None:
        """Show index `point` (slice, row, column)."""
        self._point = point
        if self.views is not None:
            self.views.go(point)

    def _on_gone(self) -> None:
        self._dock = self.views = None
