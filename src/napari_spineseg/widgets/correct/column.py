"""Which level it is: one vertebra is named, and the whole column follows."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Numbering, Structure, structure_of
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.parts import Choice, Words

_LUMBAR = {4: "4 lumbar", 5: "5 lumbar", 6: "6 lumbar (L6)"}
_THORACIC = {11: "11 thoracic", 12: "12 thoracic", 13: "13 thoracic (T13)"}
_LEVELS = 20
_WHY_NOT = {
    "levels": "Choose a vertebra or a disc first.",
    "structures": "These labels tell structures apart, not levels: there is nothing to number.",
}


class ColumnPanel(QWidget):
    """*The chosen structure is really …*, with how many lumbar and thoracic vertebrae this spine has."""

    renumber = Signal(str, object)
    """The name of the chosen structure, and the `Numbering`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self.words = Words("")
        self.level = Choice()
        self.level.setObjectName("level")
        self.level.setAccessibleName("Level")
        self.lumbar, self.thoracic = _counts("lumbar", _LUMBAR), _counts("thoracic", _THORACIC)
        for count in (self.lumbar, self.thoracic):
            count.activated.connect(self._fill)
        self.button = QPushButton("Renumber the column")
        self.button.setObjectName("renumber")
        self.button.clicked.connect(self._on_click)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.lumbar)
        row.addWidget(self.thoracic)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.words)
        layout.addWidget(self.level)
        layout.addLayout(row)
        layout.addWidget(self.button)

    def show_layer(self, layer: Labels | None) -> None:
        """Name the chosen structure of `layer`."""
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self.refresh)
            self._layer.events.paint.disconnect(self.refresh)
        self._layer = layer
        if layer is not None:
            layer.events.selected_label.connect(self.refresh)
            layer.events.paint.connect(self.refresh)
        self.refresh()

    def open(self) -> None:
        """Unfold the list of levels, for the arrow keys."""
        self.level.setFocus()
        self.level.showPopup()

    def refresh(self, event: object = None) -> None:
        """Show what the chosen structure is called now."""
        scheme, numbering = scheme_of(self._layer) if self._layer is not None else ("levels", Numbering())
        label = int(self._layer.selected_label) if self._layer is not None else 0
        can = scheme == "levels" and structure_of(label) in (Structure.VERTEBRA, Structure.DISC)
        for part in (self.level, self.lumbar, self.thoracic, self.button):
            part.setEnabled(can)
        self.lumbar.setCurrentIndex(self.lumbar.findData(numbering.lumbar))
        self.thoracic.setCurrentIndex(self.thoracic.findData(numbering.thoracic))
        self.words.say(f"{numbering.name(label)} is really" if can else _WHY_NOT[scheme])
        self._fill()

    def _fill(self, *_: object) -> None:
        """The names that the chosen structure may have in such a spine."""
        label = int(self._layer.selected_label) if self._layer is not None else 0
        numbering = self._numbering()
        first = FIRST_DISC_LABEL if structure_of(label) is Structure.DISC else 1
        self.level.clear()
        if label and structure_of(label) in (Structure.VERTEBRA, Structure.DISC):
            names = [numbering.name(n) for n in range(first + _LEVELS - 1, first - 1, -1)]
            self.level.addItems([*names, "S1" if first == 1 else "S1/S2"])
            self.level.setCurrentIndex(self.level.findText(numbering.name(label)))

    def _numbering(self) -> Numbering:
        return Numbering(self.lumbar.currentData() or 5, self.thoracic.currentData() or 12)

    def _on_click(self) -> None:
        if self.level.currentText():
            self.renumber.emit(self.level.currentText(), self._numbering())


def _counts(name: str, words: dict[int, str]) -> Choice:
    choice = Choice()
    choice.setObjectName(name)
    choice.setAccessibleName(f"{name.capitalize()} vertebrae")
    for count, text in words.items():
        choice.addItem(text, count)
    return choice
