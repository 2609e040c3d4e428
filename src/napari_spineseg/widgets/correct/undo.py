"""Undo and Redo as buttons, and whether what was drawn is on disk by now."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_spineseg.widgets.correct.history import History
from napari_spineseg.widgets.correct.keys import key_of
from napari_spineseg.widgets.lifetime import at_end_of
from napari_spineseg.widgets.parts import Words, tooltip

_KEPT, _NOT_YET = "Kept on disk", "Not on disk yet"


class UndoBar(QWidget):
    """Follows one history."""

    told = Signal(str)
    """What was undone or redone, with the buttons or with the keys, in words."""

    def __init__(self, history: Callable[[], History | None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._now = history
        self._history: History | None = None
        self.undo, self.redo = _button("undo", "Undo"), _button("redo", "Redo")
        self.undo.clicked.connect(lambda: self._step("undo"))
        self.redo.clicked.connect(lambda: self._step("redo"))
        self.kept = Words("", "muted")
        self.kept.setWordWrap(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for part in (self.undo, self.redo, self.kept):
            row.addWidget(part)
        row.addStretch(1)
        at_end_of(self, self._unwatch)
        self.follow()

    def follow(self) -> None:
        """Follow the history that there is now."""
        self._unwatch()
        self._history = self._now()
        if self._history is not None:
            self._history.changed.connect(self._on_changed)
            self._history.told.connect(self._on_told)
        self.kept.say("")
        self._show()

    def say_kept(self) -> None:
        """All that was drawn is on disk."""
        self.kept.say(_KEPT)

    def _on_changed(self) -> None:
        self.kept.say(_NOT_YET)
        self._show()

    def _on_told(self, words: str) -> None:
        self.told.emit(words)

    def _show(self) -> None:
        history = self._history
        self.undo.setEnabled(history is not None and history.can_undo)
        self.redo.setEnabled(history is not None and history.can_redo)

    def _step(self, which: str) -> None:
        if self._history is not None:
            getattr(self._history, which)()

    def _unwatch(self) -> None:
        if self._history is not None:
            self._history.changed.disconnect(self._on_changed)
            self._history.told.disconnect(self._on_told)
        self._history = None


def _button(action: str, text: str) -> QPushButton:
    key = key_of(action)
    button = QPushButton(text)
    button.setObjectName(action)
    button.setToolTip(tooltip(f"{key.words} ({key.text})"))
    return button
