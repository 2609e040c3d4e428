"""One question, in the page and not in the way: bring back what the store holds of this scan?"""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.widgets.correct.work import Offer
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.style import give_role


class OfferPanel(QFrame):
    """Shown while there is an offer."""

    accepted = Signal(object)
    declined = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offer: Offer | None = None
        give_role(self, "card")
        self.words = Words("")
        self.yes, self.no = QPushButton(), QPushButton()
        self.yes.setObjectName("restore")
        self.no.setObjectName("leave")
        give_role(self.yes, "primary")
        self.yes.clicked.connect(lambda: self._answer(self.accepted))
        self.no.clicked.connect(lambda: self._answer(self.declined))
        row = QHBoxLayout()
        row.addWidget(self.yes, stretch=1)
        row.addWidget(self.no)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addWidget(self.words)
        layout.addLayout(row)
        self.hide()

    def ask(self, offer: Offer) -> None:
        """Ask about an offer."""
        self._offer = offer
        crashed = offer.path is not None
        self.words.say(f"{offer.words} {'Bring back what was drawn?' if crashed else 'Go on from there?'}")
        self.yes.setText("Bring back" if crashed else "Go on")
        self.no.setText("Leave")
        self.show()

    def clear(self) -> None:
        """Ask nothing any more."""
        self._offer = None
        self.hide()

    def _answer(self, signal: Signal) -> None:
        offer = self._offer
        self.clear()
        if offer is not None:
            signal.emit(offer)
