"""What a person says of a version when it is saved: its review state, and a note."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_spineseg.corrections.entry import STATES, ReviewState, Version
from napari_spineseg.widgets.card import Card
from napari_spineseg.widgets.parts import Choice

_WORDS = {"in-progress": "In progress", "done": "Done", "excluded": "Leave out of training"}


class ReviewPanel(QWidget):
    """State and note of the version that is saved next."""

    said_next = Signal(str)
    """That what was chosen counts from the next version on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state, self.note = Choice(), QLineEdit()
        self.state.setObjectName("state")
        self.state.setAccessibleName("Review state")
        self.state.set_help("Versions that are done are what a model learns from.")
        for state in STATES:
            self.state.addItem(_WORDS[state], state)
        self.state.activated.connect(
            lambda: self.said_next.emit(f"{self._words()}: with the next Save version.")
        )
        self.note.setObjectName("note")
        self.note.setPlaceholderText("Note")
        self.note.setAccessibleName("Note")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.state)
        layout.addWidget(self.note)

    @property
    def said(self) -> tuple[ReviewState, str]:
        """State and note as they are now."""
        return self.state.currentData(), self.note.text().strip()

    def show_state(self, state: ReviewState) -> None:
        """Where the review of the scan that is corrected now is; a note is of one version alone."""
        self.state.setCurrentIndex(self.state.findData(state))
        self.note.clear()

    def show_saved(self, version: Version, card: Card) -> str:
        """Say on `card` that a version was saved, and forget its note. Returns it in a sentence."""
        self.note.clear()
        voxels = (version.about.get("changed") or {}).get("voxels")
        remark = f"{voxels} voxels differ from the model's answer" if voxels is not None else ""
        state = self._words().lower()
        card.say(f"Version {version.number} saved", remark, (), f"{state} · {version.folder.parent.parent}")
        return f"Saved version {version.number}, {state}."

    def _words(self) -> str:
        return _WORDS[self.state.currentData()]
