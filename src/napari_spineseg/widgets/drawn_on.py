"""Asks which scan labels were drawn on, in place, where neither they nor the open scans tell."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.widgets.parts import Choice, Part, Words
from napari_spineseg.widgets.session import Session, while_alive
from napari_spineseg.widgets.style import give_role

_HELP = "The labels stay with this scan, whichever other is looked at, and corrections are kept with it."


class DrawnOn(Part):
    """A sentence and a list of the scans that fit; out of sight while the scan is known."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.words = Words("", "warning")
        self.choice = Choice(elide=Qt.TextElideMode.ElideMiddle)
        self.choice.setObjectName("drawn_on")
        self.choice.setAccessibleName("Scan that the labels were drawn on")
        self.choice.set_help(_HELP)
        give_role(self, "plain")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.words)
        self.button = QPushButton("Drawn on this")
        self.button.setObjectName("drawn_on_this")
        row = QHBoxLayout()
        row.addWidget(self.choice, stretch=1)
        row.addWidget(self.button)
        layout.addLayout(row)
        # A list alone would take whatever scan the arrow keys pass on the way to the one that is meant.
        self.choice.currentIndexChanged.connect(lambda index: self.button.setEnabled(index > 0))
        self.button.clicked.connect(self._on_clicked)
        for signal in (session.layers_changed, session.scan_changed, session.segmentation_changed):
            while_alive(self, signal, self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Ask, or be out of sight."""
        labels = self._session.segmentation
        question = question_about(self._session, labels) if labels is not None else ""
        self.words.say(question)
        chosen = self.choice.currentData()
        self.choice.clear()
        if question:
            self.choice.addItem("Choose the scan…", None)
            for scan in self._session.fitting(labels):
                self.choice.addItem(scan.name, scan)
            self.choice.setCurrentIndex(max(self.choice.findData(chosen), 0))
        self.button.setEnabled(self.choice.currentIndex() > 0)
        self.setVisible(bool(question))

    def _on_clicked(self) -> None:
        labels, scan = self._session.segmentation, self.choice.currentData()
        if labels is not None and scan is not None:
            self._session.say_scan(labels, scan)


def question_about(session: Session, labels: Labels) -> str:
    """What to ask about `labels`; empty where their scan is open, or no open scan fits."""
    fitting = session.fitting(labels)
    if not fitting or session.scan_of(labels) is not None:
        return ""
    if name := session.scan_name_of(labels):
        return f"{labels.name} was drawn on {name}, which is not open: open it, or choose the same scan."
    names = [scan.name for scan in fitting]
    fits = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{labels.name} fits {fits}: choose the scan that it was drawn on."


def why_not_kept(session: Session, labels: Labels) -> str:
    """Why corrections of `labels` have no place in the store."""
    if session.scan_name_of(labels) or not session.fitting(labels):
        return "The scan of this segmentation is not open, so corrections are not kept."
    return "It is not known which scan these labels were drawn on, so corrections are not kept; choose it."
