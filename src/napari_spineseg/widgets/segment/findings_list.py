"""A list of findings, each whole, however narrow the panel is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_spineseg.widgets.style import swatch

_ROWS, _SWATCH, _FRAME = 5, 10, 6
_FINDING = Qt.ItemDataRole.UserRole


class FindingsList(QListWidget):
    """As high as its first rows; what is too wide wraps, for nobody scrolls sideways to read a number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("findings")
        self.setAccessibleName("Findings")
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)

    def show_findings(self, findings: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """List `findings`: colour, words, and what `finding_of` gives back. None at all takes no room."""
        chosen, at = self.currentRow(), self.verticalScrollBar().value()
        self.clear()
        for colour, words, finding in findings:
            item = QListWidgetItem(swatch(colour, _SWATCH), words)
            item.setData(_FINDING, finding)
            self.addItem(item)
        self.setVisible(self.count() > 0)
        self._fit()
        # Whoever goes through the list while correcting goes on where they were.
        self.setCurrentRow(min(chosen, self.count() - 1))
        self.verticalScrollBar().setValue(at)

    def finding_of(self, item: QListWidgetItem) -> dict[str, Any]:
        """The finding that a row shows."""
        return item.data(_FINDING)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In another width rows wrap elsewhere."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def _fit(self) -> None:
        self.doItemsLayout()
        rows = [self.visualItemRect(self.item(n)).height() for n in range(min(self.count(), _ROWS))]
        self.setFixedHeight(sum(rows) + _FRAME if rows else 0)
