"""Choosing the scan or the segmentation to work on; follows napari's layer selection."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QWidget

from napari_spineseg.widgets.known import same_grid
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Choice
from napari_spineseg.widgets.session import Session, is_scan

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

_HELP = {
    "scan": "The scan to work on. It follows the layer that is selected in napari. "
    "Chosen here, the others are hidden.",
    "segmentation": "The segmentation to work on. It follows the layer that is selected in napari. "
    "Chosen here, the others are hidden.",
}


class LayerPicker(Choice):
    """A combo box with the window's scans or segmentations."""

    def __init__(
        self, session: Session, kind: Literal["scan", "segmentation"], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, elide=Qt.TextElideMode.ElideMiddle)
        self._session, self._kind = session, kind
        self.setObjectName(kind)
        self.setAccessibleName(kind.capitalize())
        self.set_help(_HELP[kind])
        self._show_layers()
        self.activated.connect(self._on_activated)
        while_alive(self, session.layers_changed, self._show_layers)
        while_alive(self, session.scan_changed, self._show_layers)
        while_alive(self, session.segmentation_changed, self._show_layers)

    def _show_layers(self, *_: object) -> None:
        session = self._session
        scans = self._kind == "scan"
        layers, chosen = (
            (session.scans(), session.scan) if scans else (session.segmentations(), session.segmentation)
        )
        self.blockSignals(True)
        self.clear()
        for layer in layers:
            self.addItem(layer.name, layer)
        self.setCurrentIndex(next((n for n, layer in enumerate(layers) if layer is chosen), -1))
        self.setEnabled(bool(layers))
        self.blockSignals(False)
        self.currentTextChanged.emit(self.currentText())

    def _on_activated(self, index: int) -> None:
        layer = self.itemData(index)
        if self._kind == "scan":
            self._session.scan = layer
        else:
            self._session.segmentation = layer
        show_alone(self._session, layer)


def show_alone(session: Session, layer: Layer) -> None:
    """Show `layer` with its scan or its newest segmentation, and no other scan over or under it.

    Scans of two patients lie at the same place; only a person who chose one in a list has said which to see.
    """
    scan = layer if is_scan(layer) else session.scan_of(layer)
    segmentation = session.segmentation if is_scan(layer) else layer
    for other in session.scans() if scan is not None else ():
        other.visible = other is scan
    for other in session.segmentations():
        other.visible = other is segmentation
    session.viewer.layers.selection.active = layer


def uncover(session: Session, layer: Labels) -> list[str]:
    """Hide what would be looked at in the place of `layer` and its scan: other people's scans and labels.

    What lies on the same grid stays: that is another sequence of the same spine, or an older result.
    `layer` is raised above such a picture, under which nobody would see it. Returns the names
    of what was hidden.
    """
    scan = session.scan_of(layer) or next(reversed(session.fitting(layer)), None)
    if scan is None:
        return []
    mine = (scan, layer)
    hidden = [
        other
        for other in (*session.scans(), *session.segmentations())
        if other.visible and other not in mine and not same_grid(other, layer)
    ]
    for other in hidden:
        other.visible = False
    layer.visible = True
    if not any(other.visible and same_grid(other, layer) for other in session.scans()):
        scan.visible = True
    # napari may be in the middle of adding or removing a layer: its list must not be moved about meanwhile.
    QTimer.singleShot(0, partial(_raise, session, layer))
    return [other.name for other in hidden]


def _raise(session: Session, layer: Labels) -> None:
    """Put `layer` above the pictures that are shown."""
    if not session.open or layer not in session.segmentations():
        return
    layers = session.viewer.layers
    over = [layers.index(scan) for scan in session.scans() if scan.visible]
    if over and max(over) > (at := layers.index(layer)):
        layers.move(at, max(over) + 1)
