"""What a run changed, in figures, and what can be done with the version that it made."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.learning.run.events import VerdictEvent
from napari_spineseg.models.versions import use_model
from napari_spineseg.widgets.learn.again import SegmentAgain
from napari_spineseg.widgets.learn.versions import key_in_use
from napari_spineseg.widgets.learn.words import figures_in_words, use_in_words
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import report


class VerdictPanel(QWidget):
    """Scores before and after, *Use anyway*, and *Re-segment open scans*.

    Attributes
    ----------
    of
        The verdict that is shown; None while there is none.
    used
        Another version has come into use.
    failed
        What did not happen, and why.
    """

    used = Signal()
    failed = Signal(str, str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        give_role(self, "plain")
        self._session = session
        self.of: VerdictEvent | None = None
        self.figures = Words("", "muted")
        self.cost = Words("", "warning")
        self.anyway = QPushButton("Use anyway")
        self.anyway.setObjectName("use_anyway")
        self.again = SegmentAgain(session, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.figures, self.cost, self.anyway, self.again.bar):
            layout.addWidget(part)
        self.anyway.clicked.connect(self.use_anyway)
        self.again.failed.connect(lambda words: self.failed.emit("Not segmented", words))
        while_alive(self, session.layers_changed, self._show_again)
        self.clear()

    def clear(self) -> None:
        """There is no verdict yet."""
        self.of = None
        self.hide()

    def show_verdict(self, verdict: VerdictEvent) -> None:
        """Show what a run has come to."""
        self.of = verdict
        held, guard = figures_in_words(verdict.held_back), figures_in_words(verdict.guard)
        self.figures.say(f"Dice on held-back corrections\n{held}\n\nDice on the guard scans\n{guard}")
        self.anyway.setText("Use it" if verdict.promoted else "Use anyway")
        self.show_use()
        self.again.key = verdict.key
        self._show_again()
        self.show()

    def show_use(self) -> None:
        """Whether the new version is in use may have changed."""
        if self.of is not None:
            used = key_in_use() == self.of.key
            self.anyway.setVisible(not used)
            self.cost.say(use_in_words(self.of, used))

    def use_anyway(self) -> None:
        """Put the new version into use against the gate's word."""
        if self.of is None:
            return
        try:
            use_model(self.of.key)
        except SpineSegError as error:
            self.failed.emit("Not used", report(error))
            return
        self.used.emit()

    def _show_again(self) -> None:
        """There is something to segment anew as soon as a scan is open."""
        self.again.bar.setVisible(self.again.running or bool(self._session.scans()))
