"""Findings as a table: scan and sentence, the heaviest marked, filtered by what was checked."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_spineseg.datasets.findings import Finding
from napari_spineseg.widgets.parts import Choice, tooltip
from napari_spineseg.widgets.style import swatch

_FINDING = Qt.ItemDataRole.UserRole
# Colour-blind safe, and said in words in the tooltip too.
_COLOURS = {"error": "#e5484d", "warning": "#ffb000", "note": "#648fff"}
_ALL = "All findings"
_HEIGHT = 260


class FindingTable(QWidget):
    """What was found, one row each."""

    chosen = Signal(object)
    opened = Signal(object)
    """A double click, or Enter, on a finding."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._findings: tuple[Finding, ...] = ()
        self.filter = Choice()
        self.filter.setObjectName("finding_filter")
        self.filter.setAccessibleName("Which findings")
        self.table = _Table()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.filter)
        layout.addWidget(self.table)
        self.filter.activated.connect(self._fill)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.table.itemActivated.connect(lambda item: self.opened.emit(self._of(item)))

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show these instead."""
        self._findings = tuple(findings)
        counts: dict[str, int] = {}
        for finding in findings:
            counts[finding.check] = counts.get(finding.check, 0) + 1
        self.filter.clear()
        self.filter.addItem(f"{_ALL} ({len(findings)})", "")
        for check, number in sorted(counts.items(), key=lambda pair: -pair[1]):
            self.filter.addItem(f"{check} ({number})", check)
        self._fill()

    def current(self) -> Finding | None:
        """The one that is chosen."""
        items = self.table.selectedItems()
        return self._of(items[0]) if items else None

    def rows(self) -> list[Finding]:
        """Those shown, from the top."""
        return [self._of(self.table.item(row, 0)) for row in range(self.table.rowCount())]

    def _fill(self, _: int = 0) -> None:
        check = self.filter.currentData()
        shown = [f for f in self._findings if not check or f.check == check]
        self.table.setRowCount(len(shown))
        for row, finding in enumerate(shown):
            for column, text in enumerate((finding.case, finding.sentence)):
                item = QTableWidgetItem(text)
                item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
                item.setData(_FINDING, finding)
                item.setToolTip(tooltip(_help(finding)))
                if column == 0:
                    item.setIcon(swatch(_COLOURS[finding.weight], 8))
                self.table.setItem(row, column, item)
        self.table.resizeRowsToContents()

    def _of(self, item: QTableWidgetItem) -> Finding:
        return item.data(_FINDING)

    def _on_selected(self) -> None:
        if (finding := self.current()) is not None:
            self.chosen.emit(finding)


class _Table(QTableWidget):
    """Two columns, whole rows, sentences wrapped."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.setObjectName("findings")
        self.setAccessibleName("Findings")
        self.setHorizontalHeaderLabels(["Scan", "Finding"])
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setMinimumHeight(_HEIGHT)
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(0, 96)
        header.sectionResized.connect(lambda *_: self.resizeRowsToContents())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrower column needs more lines."""
        super().resizeEvent(event)
        self.resizeRowsToContents()


def _help(finding: Finding) -> str:
    where = f" Slice {finding.place[0]}." if finding.place else ""
    repair = " Repair puts it right." if finding.repairable else ""
    return f"{finding.weight.capitalize()}: {finding.sentence}{where}{repair}"
