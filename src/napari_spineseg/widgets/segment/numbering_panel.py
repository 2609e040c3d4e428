"""Other numberings that fit, on the result card: one click chooses one, one takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.widgets.correct.history import history_of
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.numberings import choice_of
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import report


class NumberingPanel(QWidget):
    """A line for each numbering that fits, with a button; after a choice, which one it was."""

    said = Signal(str)
    """What choosing did, in words."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        self._shown: object = None
        self._step: object = None
        self.buttons: list[QPushButton] = []
        self.undo = _button("Undo", "undo_numbering", "Back to the numbers before")
        self.undo.clicked.connect(self._on_undo)
        give_role(self, "plain")
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(4)
        self._grid.setColumnStretch(0, 1)

    def show_layer(self, layer: Labels | None) -> None:
        """Offer what fits `layer`; nothing to offer takes no room."""
        known = about(layer) if layer is not None else {}
        others, chosen = known.get("numberings", ()), known.get("chosen", "")
        if layer is not self._layer:
            self._step = None
        self._layer = layer
        if self._shown != (others, chosen, layer):
            self._shown = (others, chosen, layer)
            self._fill(others, chosen)
        self.undo.setVisible(bool(chosen) and self._can_undo())
        self.setVisible(bool(others or chosen))

    def choose(self, other: Mapping[str, Any]) -> None:
        """Number the column that way: one step to undo."""
        layer = self._layer
        if layer is None:
            return
        try:
            edit, said = choice_of(layer, other)
        except SpineSegError as error:
            report(error)
            return
        history = history_of(self._session, layer)
        if history.apply(edit, said=said):
            self._step = history.last
            self.said.emit(edit.words if len(edit) else "Renamed; the numbers stay as they are.")

    def _on_undo(self) -> None:
        if self._layer is not None and self._can_undo():
            history_of(self._session, self._layer).undo()
            self.said.emit("Back to the numbers before.")

    def _can_undo(self) -> bool:
        """Whether the choice is the last thing that was done: undoing takes back nothing else."""
        history = self._session.histories.get(self._layer)
        return self._step is not None and history is not None and history.last is self._step

    def _fill(self, others: tuple[Mapping[str, Any], ...], chosen: str) -> None:
        self._grid.removeWidget(self.undo)
        self.undo.hide()
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self.buttons = []
        if chosen:
            self._grid.addWidget(Words(f"Numbered as you chose: {chosen}"), 0, 0)
            self._grid.addWidget(self.undo, 0, 1, Qt.AlignmentFlag.AlignTop)
            return
        if others:
            self._grid.addWidget(Words("Other numberings that fit", "muted"), 0, 0, 1, 2)
        for row, other in enumerate(others, start=1):
            button = _button("Use", f"use_numbering_{row}", f"Number the column so. {other['words']}")
            button.setAccessibleName(f"Use: {other['words']}")
            button.clicked.connect(lambda _=False, other=other: self.choose(other))
            self._grid.addWidget(Words(other["words"]), row, 0)
            self._grid.addWidget(button, row, 1, Qt.AlignmentFlag.AlignTop)
            self.buttons.append(button)


def _button(text: str, name: str, help_text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tooltip(help_text))
    return button
