"""Saving without a dialog in the way: a place, what it would replace, one button."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from napari.utils.notifications import show_info
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import OutputError, SpineSegError
from napari_spineseg.progress import Control
from napari_spineseg.widgets.parts import Part, Words, bring_into_sight
from napari_spineseg.widgets.path_line import PathLine
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.worker import Job, report

# Looking at a network folder at every key stroke would be felt.
_SETTLE_MS = 120


class SaveFold(Part):
    """A button that unfolds a place to save to; files that are there already are named before they go.

    A subclass says what is saved: where it goes at first, what a place stands for, how it is written.

    Parameters
    ----------
    more
        What else is to be chosen, shown below the place.
    """

    saved = Signal(object)
    """What was written, once it is."""

    opens: ClassVar[str] = "Save…"
    place_title: ClassVar[str] = "File to save to"

    def __init__(self, session: Session, *more: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self._announced: list[Path] = []
        self.open_button = QPushButton(self.opens)
        self.place = PathLine()
        self.place.setAccessibleName(self.place_title)
        self.browse = QPushButton("Browse…")
        self.notice = Words("", "muted")
        self.write = QPushButton("Save")
        give_role(self.write, "primary")
        self.cancel = QPushButton("Cancel")
        give_role(self, "plain")
        self._panel = self._lay_out(more)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self.look)
        # When Qt has laid out the rest of the page too: only then is the place known.
        self._seen = QTimer(self, singleShot=True, interval=0)
        self._seen.timeout.connect(self._show_whole)
        self.open_button.clicked.connect(self.unfold)
        self.cancel.clicked.connect(self.fold)
        self.browse.clicked.connect(self._browse)
        self.place.textChanged.connect(lambda: self._settle.start())
        self.place.returnPressed.connect(self.write.click)
        self.write.clicked.connect(self._save)
        self.fold()

    def suggestion(self) -> str | None:
        """The place to begin with; None while there is nothing to save."""
        raise NotImplementedError

    def target(self, text: str) -> tuple[Any, list[Path], str]:
        """What a place stands for, the files there that would be replaced, and what to say if there are none.

        Raises
        ------
        OutputError
            If nothing can be saved there.
        """
        raise NotImplementedError

    def work(self, target: Any) -> Callable[[Control], Any]:
        """What writes to `target` and returns what was written; called in another thread.

        Raises
        ------
        SpineSegError
            If there is nothing that could be written.
        """
        raise NotImplementedError

    def in_words(self, written: Any) -> str:
        """What was written where."""
        raise NotImplementedError

    def dialog(self) -> QFileDialog:
        """The system's dialog for a place."""
        raise NotImplementedError

    @property
    def job(self) -> Job | None:
        """The saving that is going on, if one is."""
        return self._job

    def unfold(self) -> None:
        """Show the place."""
        text = self.suggestion()
        if text is None:
            return
        self.place.setText(text)
        self.open_button.hide()
        self._panel.show()
        self.look()
        self.place.setFocus(Qt.FocusReason.OtherFocusReason)
        self.place.end(False)

    def fold(self, *_: object) -> None:
        """Hide the place again."""
        self._panel.hide()
        self.open_button.show()

    def look(self, *_: object) -> Any | None:
        """Say what saving would do. Returns the target if it may be done."""
        self._settle.stop()  # looking once more would take away what a failure says meanwhile
        if self.suggestion() is None:
            return None
        try:
            target, replaced, words = self.target(self.place.text())
        except OutputError as error:
            self._say(str(error), "error")
            self.write.setEnabled(False)
            return None
        self._announced = replaced
        if replaced:
            are = "is" if len(replaced) == 1 else "are"
            self._say(f"{listed(replaced)} {are} there already and would be replaced.", "warning")
        else:
            self._say(words, "muted")
        self.write.setText("Replace" if replaced else "Save")
        self.write.setEnabled(True)
        return target

    def _lay_out(self, more: tuple[QWidget, ...]) -> QWidget:
        panel = Part()
        give_role(panel, "plain")
        inner = QVBoxLayout(panel)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(5)
        inner.addLayout(_row(self.place, self.browse))
        for part in (*more, self.notice):
            inner.addWidget(part)
        inner.addLayout(_row(self.write, self.cancel))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.open_button)
        layout.addWidget(panel)
        return panel

    def _say(self, text: str, role: str) -> None:
        give_role(self.notice, role)
        self.notice.say(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """It has unfolded, or its notice has grown."""
        super().resizeEvent(event)
        if event.size().height() > event.oldSize().height():
            self._seen.start()

    def _show_whole(self) -> None:
        """Scroll the page to what unfolded: below the edge nobody would know of it."""
        if self._panel.isVisible():
            bring_into_sight(self._panel)

    def _browse(self) -> None:
        """Let the system's dialog choose; it does not block the window."""
        dialog = self.dialog()
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.place.setText)
        dialog.open()

    def _save(self) -> None:
        announced, target = self._announced, self.look()
        if target is None or self._job is not None:
            return
        if self._announced != announced:
            return  # a file came to be since the person looked; `look` has just said so
        try:
            work = self.work(target)
        except SpineSegError as error:
            report(error)
            return
        self.write.setEnabled(False)
        self.write.setText("Saving …")
        job = self._job = Job(work, "Saving", self)
        job.returned.connect(self._on_saved)
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _on_saved(self, written: Any) -> None:
        self.fold()
        show_info(self.in_words(written))
        self.saved.emit(written)

    def _on_failed(self, error: Exception) -> None:
        self.look()
        self._say(report(error), "error")

    def _on_ended(self) -> None:
        self._job = None


def listed(files: list[Path]) -> str:
    """Names of files in a sentence: "a, b and c"."""
    names = [file.name for file in files]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _row(wide: QWidget, narrow: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(wide, stretch=1)
    row.addWidget(narrow)
    return row
