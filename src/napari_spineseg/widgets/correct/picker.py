"""Choosing the structure to draw: by its name and colour, with a key each for those used last."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_spineseg.anatomy import (
    CANAL_LABEL,
    FIRST_DISC_LABEL,
    FIRST_TUMOUR_LABEL,
    Numbering,
    Scheme,
    colour_of,
    names_of,
    structure_of,
)
from napari_spineseg.widgets.correct.keys import RECENT, key_of
from napari_spineseg.widgets.legend import labels_in, scheme_of
from napari_spineseg.widgets.parts import Choice, tooltip
from napari_spineseg.widgets.style import give_role, swatch

# How many levels beyond those that are there can be drawn.
_BEYOND = 2


class StructurePicker(QWidget):
    """A list of every structure that makes sense here, and those used last as buttons."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._recent: list[int] = []
        self.choice = Choice()
        self.choice.setObjectName("structure")
        self.choice.setAccessibleName("Structure to draw")
        self.choice.set_help("What the brush and the tools work on.")
        self.choice.activated.connect(lambda index: self.take(self.choice.itemData(index)))
        self.recent_buttons = [self._recent_button(n) for n in range(1, RECENT + 1)]
        row = QHBoxLayout()
        row.setSpacing(2)
        for button in self.recent_buttons:
            row.addWidget(button, stretch=1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choice)
        layout.addLayout(row)

    @property
    def label(self) -> int:
        """The chosen structure's number."""
        return int(self._layer.selected_label) if self._layer is not None else 0

    def show_layer(self, layer: Labels | None) -> None:
        """Work on `layer` from now on."""
        if self._layer is not None:
            self._layer.events.selected_label.disconnect(self._on_selected)
            self._layer.events.features.disconnect(self.refresh)
        self._layer, self._recent = layer, []
        if layer is not None:
            layer.events.selected_label.connect(self._on_selected)
            layer.events.features.connect(self.refresh)  # names, which undo and other pages change too
        self.refresh()

    def refresh(self, event: object = None) -> None:
        """List the structures anew: some may have come or gone, or have another name."""
        self.choice.blockSignals(True)
        self.choice.clear()
        if self._layer is not None:
            scheme, numbering = scheme_of(self._layer)
            there = labels_in(self._layer)
            for label, name in offered(there, scheme, numbering).items():
                self.choice.addItem(swatch(colour_of(label, scheme), self._side()), name, label)
            if not self._recent:
                self._recent = there[:RECENT]
        self.choice.blockSignals(False)
        self._on_selected()

    def take(self, label: int) -> None:
        """Draw `label` from now on."""
        if self._layer is not None:
            self._layer.selected_label = label

    def take_recent(self, place: int) -> None:
        """Draw what was used `place`-last (1 is the last one)."""
        if place <= len(self._recent):
            self.take(self._recent[place - 1])

    @property
    def in_words(self) -> str:
        """What is drawn with."""
        return f"Drawing {self.choice.currentText()}."

    def used(self) -> None:
        """The chosen structure was drawn: it moves to the front of those used last."""
        if self.label and self._recent[:1] != [self.label]:
            self._recent = [self.label, *(n for n in self._recent if n != self.label)][:RECENT]
            self._show_recent()

    def _on_selected(self, event: object = None) -> None:
        index = self.choice.findData(self.label)
        if index < 0 and self.label and self._layer is not None:
            scheme, numbering = scheme_of(self._layer)
            name = names_of([self.label], scheme, numbering)[self.label]
            icon = swatch(colour_of(self.label, scheme), self._side())
            self.choice.addItem(icon, _capital(name), self.label)
            index = self.choice.count() - 1
        self.choice.setCurrentIndex(index)
        self._show_recent()

    def _show_recent(self) -> None:
        scheme, numbering = scheme_of(self._layer) if self._layer is not None else ("levels", Numbering())
        names = names_of(self._recent, scheme, numbering)
        for place, button in enumerate(self.recent_buttons):
            there = place < len(self._recent)
            button.setVisible(there)
            if there:
                label = self._recent[place]
                button.setText(_short(names[label]))
                button.setIcon(swatch(colour_of(label, scheme), self._side()))
                button.setChecked(label == self.label)
                key = key_of(f"recent_{place + 1}").text
                button.setToolTip(tooltip(f"Draw {names[label]} ({key})"))

    def _recent_button(self, place: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"recent_{place}")
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setIconSize(QSize(self._side(), self._side()))
        give_role(button, "chip")
        button.clicked.connect(lambda: (self.take_recent(place), self._show_recent()))
        return button

    def _side(self) -> int:
        return self.fontMetrics().ascent()


def offered(there: list[int], scheme: Scheme, numbering: Numbering) -> dict[int, str]:
    """Structures that may be drawn, from the top of the body down, with their names.

    Those that are there, two levels beyond at either end, the canal, and one more tumour.
    """
    if scheme == "structures":
        labels = [1, 2, 3, 4]
    else:
        levels = [n if n < CANAL_LABEL else n - FIRST_DISC_LABEL + 1 for n in there if _is_level(n)] or [1, 5]
        labels = []
        for level in range(max(levels) + _BEYOND, max(min(levels) - _BEYOND, 1) - 1, -1):
            labels += [level, FIRST_DISC_LABEL + level - 1]
        tumours = [n for n in there if FIRST_TUMOUR_LABEL <= n < FIRST_TUMOUR_LABEL + 98]
        labels += [CANAL_LABEL, *tumours, max([FIRST_TUMOUR_LABEL - 1, *tumours]) + 1]
        labels += [n for n in there if n not in labels]
    return {label: _capital(name) for label, name in names_of(labels, scheme, numbering).items()}


def _is_level(label: int) -> bool:
    return structure_of(label).title in ("vertebra", "disc")


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _short(name: str) -> str:
    return {"spinal canal": "canal"}.get(name, name)
