"""A run that goes on: how far, how long still, and the two ways to stop it."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.learning.run.client import LearningRun
from napari_spineseg.learning.run.events import ProgressEvent
from napari_spineseg.widgets.learn.words import left_in_words
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.style import give_role

PATIENCE_MS = 15_000
"""A step that takes longer after *Stop* is one on a busy machine."""


class RunningPanel(QWidget):
    """Stands in the place of the button while a run goes on; offers one that was interrupted."""

    stopped = Signal(str)
    """"keep" or "discard"."""
    ended_at_once = Signal()
    resumed = Signal(object)
    discarded = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: LearningRun | None = None
        self.stopping = ""
        """How a run is being stopped, "keep" or "discard"; empty while it is not."""
        self._patience = QTimer(self, singleShot=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = Words("", "muted", self)
        self.keep = _button("stop_keep", "Stop and keep best", "The best so far goes through the gate")
        self.discard = _button("stop_discard", "Stop and discard", "Nothing is kept")
        self.at_once = _button("end_at_once", "End at once", "In the middle of the step; it can be resumed")
        self.resume = _button("resume", "Resume", "Go on where it was")
        give_role(self.resume, "primary")
        self.drop = _button("drop", "Discard", "Nothing is kept")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.bar)
        layout.addWidget(self.words)
        # Two long names beside each other are too wide for a narrow panel.
        for direction, pair in (
            (QBoxLayout.Direction.TopToBottom, (self.keep, self.discard, self.at_once)),
            (QBoxLayout.Direction.LeftToRight, (self.resume, self.drop)),
        ):
            buttons = QBoxLayout(direction)
            for button in pair:
                buttons.addWidget(button)
            layout.addLayout(buttons)
        self.keep.clicked.connect(lambda: self._stop("keep"))
        self.discard.clicked.connect(lambda: self._stop("discard"))
        self.at_once.clicked.connect(self._end)
        self._patience.timeout.connect(self._say_busy)
        self.resume.clicked.connect(lambda: self.resumed.emit(self._offered))
        self.drop.clicked.connect(lambda: self.discarded.emit(self._offered))
        self.end()

    def begin(self) -> None:
        """A run has started."""
        self._show(running=True)
        self.bar.setRange(0, 0)
        self.say("Getting ready …")

    def end(self) -> None:
        """It is over."""
        self._offered, self.stopping = None, ""
        self._patience.stop()
        self.hide()

    def offer(self, run: LearningRun) -> None:
        """A run was interrupted; it can go on."""
        self._offered = run
        self._show(running=False)
        self.say("A run was interrupted before it was done.")

    def show_progress(self, progress: ProgressEvent) -> None:
        """How far it is."""
        self.bar.setRange(0, max(progress.total, 1))
        self.bar.setValue(progress.done)
        if self.keep.isEnabled():
            self.say(left_in_words(progress))

    def say(self, words: str) -> None:
        """What it does."""
        self.words.say(words)

    def _show(self, running: bool) -> None:
        self.bar.setVisible(running)
        for button in (self.keep, self.discard):
            button.setVisible(running)
            button.setEnabled(True)
        for button in (self.resume, self.drop):
            button.setVisible(not running)
        self.at_once.hide()
        self.show()

    def _stop(self, how: str) -> None:
        self.keep.setEnabled(False)
        self.discard.setEnabled(False)
        self.say("Stopping after this step …")
        self.stopping = how
        self._patience.start(PATIENCE_MS)
        self.stopped.emit(how)

    def _say_busy(self) -> None:
        """A step takes minutes where other programs have the processor: say so, and offer not to wait."""
        self.say("Still in this step: the computer is busy with something else.")
        self.at_once.show()

    def _end(self) -> None:
        self.at_once.hide()
        self.say("Ending …")
        self.ended_at_once.emit()


def _button(name: str, words: str, help_text: str) -> QPushButton:
    button = QPushButton(words)
    button.setObjectName(name)
    button.setToolTip(tooltip(help_text))
    return button
