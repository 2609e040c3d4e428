"""Figures as a table: levels from the top down, measures across, the level always in sight."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QFont, QFontMetrics, QKeyEvent, QKeySequence, QMouseEvent, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableWidget, QTableWidgetItem

from napari_spineseg.anatomy import colour_of
from napari_spineseg.measurement import Figure, Measure
from napari_spineseg.measurement.table import shown
from napari_spineseg.widgets.measure.words import (
    definition_of,
    doubt_of,
    heading_of,
    sentence_of,
)
from napari_spineseg.widgets.parts import tooltip
from napari_spineseg.widgets.style import swatch, warning_sign

_FIGURE = Qt.ItemDataRole.UserRole
_PADDING, _SWATCH, _MOST_ROWS = 10, 9, 16
_PALE = QColor(128, 128, 128)  # between the texts of either theme and what is behind them
_AGAIN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)


class FigureTable(QTableWidget):
    """Rows are levels, columns are measures. A cell that is chosen tells which figure it shows."""

    chosen = Signal(object)
    """The `Figure` that a person went to, by mouse or key; the same one again too."""
    copied = Signal()
    """Copying was asked for from the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self._figures: list[list[Figure]] = []
        self._measures: list[Measure] = []
        self._quiet = self._old = False
        self.setObjectName("figures")
        self.setAccessibleName("Figures")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        # As high as its rows: what expands would pull the whole page apart.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setHighlightSections(True)
        self.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignCenter)
        self.verticalHeader().setIconSize(QSize(_SWATCH, _SWATCH))
        self.setIconSize(QSize(_SWATCH, _SWATCH))
        self.verticalHeader().sectionClicked.connect(self._on_level)
        self.currentCellChanged.connect(lambda *_: self._tell())

    @property
    def current(self) -> Figure | None:
        """The figure of the chosen cell."""
        item = self.currentItem()
        return item.data(_FIGURE) if item is not None else None

    def show_figures(self, rows: Sequence[Sequence[Figure]], measures: Sequence[Measure]) -> None:
        """Show one row a level and one column a measure; no cell is chosen."""
        self._figures, self._measures = [list(row) for row in rows], list(measures)
        self._quiet = True
        self.clear()
        self.setRowCount(len(rows))
        self.setColumnCount(len(measures))
        for column, measure in enumerate(measures):
            self.setHorizontalHeaderItem(column, _heading(measure))
        for number, row in enumerate(rows):
            self.setVerticalHeaderItem(number, _level(row[0]))
            for column, figure in enumerate(row):
                self.setItem(number, column, _cell(figure))
        self.setCurrentCell(-1, -1)
        self._quiet = False
        self.mark_old(self._old)
        self.fit()

    def mark_old(self, old: bool) -> None:
        """Show the figures pale: they were true once."""
        self._old = old
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                item = self.item(row, column)
                item.setData(Qt.ItemDataRole.ForegroundRole, QBrush(_PALE) if old else None)

    def go(self, key: str, label: int) -> None:
        """Go to the cell of a measure and a level, as if a person had."""
        self.restore(key, label)
        self._tell()

    def restore(self, key: str, label: int) -> None:
        """Mark the cell of a measure and a level, if it is shown, without a word."""
        self._quiet = True
        for row, figures in enumerate(self._figures):
            for column, figure in enumerate(figures):
                if (figure.key, figure.label) == (key, label):
                    self.setCurrentCell(row, column)
        self._quiet = False

    def fit(self) -> None:
        """Give every word its room: columns as wide as their longest word, all rows in sight."""
        if self._quiet:  # being filled: some headings are not there yet
            return
        metrics, room = self.fontMetrics(), self._room()
        widths = [self._least(metrics, column) for column in range(self.columnCount())]
        # What is left over is shared out, so that a table with few columns is as wide as the page.
        spare = max(0, room - sum(widths)) // max(len(widths), 1)
        lines = 1
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width + spare)
            words = wrapped(heading_of(self._measures[column]), width + spare - _PADDING, self._bold())
            self.horizontalHeaderItem(column).setText("\n".join(words))
            lines = max(lines, len(words))
        self.horizontalHeader().setFixedHeight(lines * metrics.lineSpacing() + 8)
        self.verticalHeader().setDefaultSectionSize(metrics.height() + 8)
        rows = min(self.rowCount(), _MOST_ROWS) * (metrics.height() + 8)
        bar = self.horizontalScrollBar().sizeHint().height() if sum(widths) > room else 0
        self.setFixedHeight(self.horizontalHeader().height() + rows + bar + 2 * self.frameWidth() + 2)
        if (item := self.currentItem()) is not None:
            self.scrollToItem(item)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width has room for other columns."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.fit()

    def event(self, event: QEvent) -> bool:
        """Copy here, and not in napari, where Ctrl+C means layers."""
        if event.type() == QEvent.Type.ShortcutOverride and event.matches(QKeySequence.StandardKey.Copy):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the table, Enter goes to the figure once more."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copied.emit()
        elif event.key() in _AGAIN and not event.modifiers():
            self._tell()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on the cell that is chosen already goes there once more."""
        before = self.currentIndex()
        super().mousePressEvent(event)
        if before.isValid() and self.indexAt(event.position().toPoint()) == before:
            self._tell()

    def _least(self, metrics: QFontMetrics, column: int) -> int:
        """The narrowest that a column can be without cutting anything off."""
        bold = self._bold()
        widest = max(bold.horizontalAdvance(word) for word in _words(heading_of(self._measures[column])))
        for row in self._figures:
            sign = _SWATCH + 4 if row[column].caution else 0
            widest = max(widest, metrics.horizontalAdvance(shown(row[column], unit=False)) + sign)
        return widest + _PADDING

    def _bold(self) -> QFontMetrics:
        """Headings of the chosen cell are bold."""
        font = QFont(self.font())
        font.setBold(True)
        return QFontMetrics(font)

    def _room(self) -> int:
        return self.width() - self.verticalHeader().sizeHint().width() - 2 * self.frameWidth()

    def _on_level(self, row: int) -> None:
        """A level's name stands for its figure in the column that one is in."""
        column = max(self.currentColumn(), 0)
        if (row, column) == (self.currentRow(), self.currentColumn()):
            self._tell()
        else:
            self.setCurrentCell(row, column)

    def _tell(self) -> None:
        if not self._quiet and (figure := self.current) is not None:
            self.chosen.emit(figure)


def wrapped(text: str, width: int, metrics: QFontMetrics) -> list[str]:
    """`text` in lines of whole words that are at most `width` pixels long, as far as words allow."""
    lines: list[str] = []
    for word in _words(text):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and metrics.horizontalAdvance(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _words(text: str) -> list[str]:
    """What a line may not be broken within; a slash stays at the end of its line."""
    return [word.replace("\u00a0", " ") for word in text.replace(" / ", "\u00a0/ ").split(" ")]


def _heading(measure: Measure) -> QTableWidgetItem:
    item = QTableWidgetItem(heading_of(measure))
    item.setToolTip(tooltip(f"{heading_of(measure)}\n{definition_of(measure)}"))
    item.setData(Qt.ItemDataRole.AccessibleTextRole, heading_of(measure))
    item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, definition_of(measure))
    return item


def _level(figure: Figure) -> QTableWidgetItem:
    name = figure.level[:1].upper() + figure.level[1:]
    item = QTableWidgetItem(name)
    if figure.label:
        item.setIcon(swatch(colour_of(figure.label), _SWATCH))
        item.setToolTip(tooltip(f"{name}: click to go there"))
    return item


def _cell(figure: Figure) -> QTableWidgetItem:
    item = QTableWidgetItem(shown(figure, unit=False))
    item.setData(_FIGURE, figure)
    item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
    if figure.caution:
        item.setIcon(warning_sign(_SWATCH))
    item.setToolTip(tooltip("\n".join(line for line in (sentence_of(figure), doubt_of(figure)) if line)))
    item.setData(Qt.ItemDataRole.AccessibleTextRole, shown(figure))
    item.setData(
        Qt.ItemDataRole.AccessibleDescriptionRole, f"{sentence_of(figure)}. {doubt_of(figure)}".strip()
    )
    return item
