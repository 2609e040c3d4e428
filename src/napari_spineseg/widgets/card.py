"""The result card: what came out, in words."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtWidgets import QFrame, QVBoxLayout, QWidget

from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.style import give_role


class Card(QFrame):
    """A headline, what to look at, a footnote; below them whatever a page adds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        give_role(self, "card")
        self.headline = Words("", "title")
        self.remark = Words("")
        self.footnote = Words("", "muted")
        self._sentences = QVBoxLayout()
        self._sentences.setSpacing(4)
        self.body = QVBoxLayout()
        self.body.setSpacing(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(self.headline)
        layout.addWidget(self.remark)
        layout.addLayout(self._sentences)
        layout.addWidget(self.footnote)
        layout.addLayout(self.body)
        self.clear()

    @property
    def sentences(self) -> list[str]:
        """The warnings, or the error, that the card shows."""
        return [self._sentences.itemAt(n).widget().words for n in range(self._sentences.count())]

    def say(self, headline: str, remark: str = "", warnings: Iterable[str] = (), footnote: str = "") -> None:
        """Show a result. The same one again is left as it stands: it may be half read, or being selected."""
        warnings = list(warnings)
        now = [self.headline.words, self.remark.words, self.footnote.words, *self.sentences]
        if not self.isHidden() and now == [headline, remark, footnote, *warnings]:
            return
        self._fill(headline, remark, footnote)
        self.show()
        for warning in warnings:
            self._sentences.addWidget(Words(warning, "warning"))

    def say_error(self, headline: str, sentence: str) -> None:
        """Show what went wrong, for longer than a notification stays."""
        self._fill(headline, "", "")
        self.show()
        self._sentences.addWidget(Words(sentence, "error"))

    def clear(self) -> None:
        """Say nothing."""
        self.hide()
        self._fill("", "", "")

    def _fill(self, headline: str, remark: str, footnote: str) -> None:
        while (item := self._sentences.takeAt(0)) is not None:
            item.widget().hide()
            item.widget().deleteLater()
        self.headline.say(headline)
        self.remark.say(remark)
        self.footnote.say(footnote)
