"""Asks which scan labels were drawn on, in place, where neither they nor the open scans tell."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.widgets.lifetime import at_end_of, while_alive
from napari_spineseg.widgets.parts import Choice, Part, Words, tooltip
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.style import give_role

_HELP = "The labels stay with this scan, whichever other is looked at, and corrections are kept with it."


class DrawnOn(Part):
    """A sentence and a list of the scans that fit; out of sight while the scan is known.

    What a person chose, or what was guessed, can be changed until something is drawn.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._watched: Labels | None = None
        """Labels whose scan can be changed until they are drawn on."""
        self.words = Words("", "warning")
        self.choice = Choice(elide=Qt.TextElideMode.ElideMiddle)
        self.choice.setObjectName("drawn_on")
        self.choice.setAccessibleName("Scan that the labels were drawn on")
        self.choice.set_help(_HELP)
        give_role(self, "plain")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.change = QPushButton("Change…")
        self.change.setObjectName("drawn_on_another")
        self.change.setToolTip(tooltip("Choose another scan that the labels were drawn on"))
        self.change.clicked.connect(self._on_change)
        top = QHBoxLayout()
        top.addWidget(self.words, stretch=1)
        top.addWidget(self.change)
        layout.addLayout(top)
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
        # The layer may outlive the question, and knows nothing of Qt.
        at_end_of(self, self._unwatch)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Ask, or be out of sight."""
        labels = self._session.segmentation
        question = question_about(self._session, labels) if labels is not None else ""
        settled = settled_about(self._session, labels) if labels is not None and not question else ""
        give_role(self.words, "warning" if question else "muted")
        self.words.say(question or settled)
        self.change.setVisible(bool(settled))
        for part in (self.choice, self.button):
            part.setVisible(bool(question))
        self._list_scans(labels if question else None)
        self._watch(labels if settled else None)
        self.setVisible(bool(question or settled))

    def _list_scans(self, labels: Labels | None) -> None:
        chosen = self.choice.currentData()
        self.choice.clear()
        if labels is not None:
            self.choice.addItem("Choose the scan…", None)
            for scan in self._session.fitting(labels):
                self.choice.addItem(scan.name, scan)
            self.choice.setCurrentIndex(max(self.choice.findData(chosen), 0))
        self.button.setEnabled(self.choice.currentIndex() > 0)

    def _watch(self, labels: Labels | None) -> None:
        if self._watched is not None:
            self._watched.events.paint.disconnect(self.refresh)
        self._watched = labels
        if labels is not None:
            labels.events.paint.connect(self.refresh, position="last")  # the session hears of it first

    def _unwatch(self) -> None:
        self._watch(None)

    def _on_clicked(self) -> None:
        labels, scan = self._session.segmentation, self.choice.currentData()
        if labels is not None and scan is not None:
            self._session.say_scan(labels, scan)

    def _on_change(self) -> None:
        if (labels := self._session.segmentation) is not None:
            self._session.unsay_scan(labels)


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


def settled_about(session: Session, labels: Labels) -> str:
    """Which scan `labels` count for; empty where that is certain, or there is no other to choose."""
    scan = session.scan_of(labels)
    if scan is None or not session.may_change_scan(labels) or len(session.fitting(labels)) < 2:
        return ""
    return f"{labels.name} counts as drawn on {scan.name}."


def why_not_kept(session: Session, labels: Labels) -> str:
    """Why corrections of `labels` have no place in the store."""
    if session.scan_name_of(labels) or not session.fitting(labels):
        return "The scan of this segmentation is not open, so corrections are not kept."
    return "It is not known which scan these labels were drawn on, so corrections are not kept; choose it."
