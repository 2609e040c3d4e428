"""The figures on the page: a chooser, the table, what the chosen figure is, copying, choosing columns."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QButtonGroup,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_spineseg.measurement import CATALOGUE, Figure, Measure, Measurements
from napari_spineseg.measurement.catalogue import Of
from napari_spineseg.widgets.measure.table import FigureTable
from napari_spineseg.widgets.measure.words import (
    KINDS,
    as_text,
    definition_of,
    doubt_of,
    heading_of,
    sentence_of,
)
from napari_spineseg.widgets.parts import Part, Words, tooltip
from napari_spineseg.widgets.style import give_role


class FigurePanel(Part):
    """Shows the figures of one segmentation, one kind of level at a time."""

    chosen = Signal(object)
    """The `Figure` that a person went to."""
    said = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measurements: Measurements | None = None
        self._hidden: set[str] = set()
        self.kinds: dict[Of, QToolButton] = {}
        self._group = QButtonGroup(self)
        self.table = FigureTable()
        self.what, self.doubt, self.meaning = Words(""), Words("", "warning"), Words("", "muted")
        self.copy_button = _button(
            "Copy", "copy_figures", "Copy this table for a spreadsheet (Ctrl+C in the table)"
        )
        self.next = _button(
            "Next to look at", "next_figure", "Go to the next figure that is marked as doubtful"
        )
        self.columns = _button("Columns…", "columns", "Choose which measures are shown")
        give_role(self, "plain")
        self._lay_out()
        self.table.chosen.connect(self._on_chosen)
        self.table.copied.connect(self.copy)
        self.copy_button.clicked.connect(self.copy)
        self.next.clicked.connect(self.look_next)
        self.columns.clicked.connect(self._choose_columns)

    @property
    def kind(self) -> Of:
        """What the table is of now."""
        return next(kind for kind, button in self.kinds.items() if button.isChecked())

    @property
    def measures(self) -> list[Measure]:
        """The columns that are shown."""
        return [m for m in CATALOGUE.values() if m.of == self.kind and m.key not in self._hidden]

    @property
    def rows(self) -> list[list[Figure]]:
        """The figures that are shown: from the highest level down, as the column stands."""
        if self._measurements is None:
            return []
        found = {level: self._measurements.of(level) for level in reversed(self._measurements.levels)}
        keys = [measure.key for measure in self.measures]
        return [
            [known[key] for key in keys] for known in found.values() if keys and all(k in known for k in keys)
        ]

    def figures_of(self, key: str) -> list[Figure]:
        """One measure of every level."""
        figures = self._measurements.figures if self._measurements is not None else ()
        return [figure for figure in figures if figure.key == key]

    def show_measurements(self, measurements: Measurements | None) -> None:
        """Show these instead, and stay at the same level and measure where that is possible."""
        if measurements is self._measurements:
            return
        self._measurements = measurements
        self.next.setVisible(bool(self._doubtful()))
        self._fill()

    def show_kind(self, kind: Of) -> None:
        """Show the table of a kind."""
        self.kinds[kind].setChecked(True)

    def look_next(self) -> None:
        """Go to the next figure that is doubtful, whichever table it is in; after the last to the first."""
        doubtful = self._doubtful()
        if not doubtful:
            return
        now = self.table.current
        after = doubtful.index(now) + 1 if now in doubtful else 0
        figure = doubtful[after % len(doubtful)]
        self._hidden -= {figure.key}
        self.show_kind(figure.measure.of)
        self._fill()
        self.table.go(figure.key, figure.label)

    def _doubtful(self) -> list[Figure]:
        figures = self._measurements.figures if self._measurements is not None else ()
        kinds = list(KINDS)
        return sorted((f for f in figures if f.caution), key=lambda f: kinds.index(f.measure.of))

    def mark_old(self, old: bool) -> None:
        """Show the figures as out of date: pale, and not to be copied."""
        self.table.mark_old(old)
        self.copy_button.setEnabled(not old)

    def copy(self) -> None:
        """Put the table on the clipboard, as it is shown."""
        if not self.copy_button.isEnabled():
            self.said.emit("These figures are out of date: measure again before you copy them.")
            return
        QApplication.clipboard().setText(as_text(self.rows, self.measures))
        self.said.emit("Copied; paste it into a spreadsheet.")

    def _fill(self) -> None:
        before = self.table.current
        self.table.show_figures(self.rows, self.measures)
        if before is not None:
            self.table.restore(before.key, before.label)
        self._describe(self.table.current)

    def _on_chosen(self, figure: Figure) -> None:
        self._describe(figure)
        self.chosen.emit(figure)

    def _describe(self, figure: Figure | None) -> None:
        self.what.say(sentence_of(figure) if figure is not None else "")
        self.doubt.say(doubt_of(figure) if figure is not None else "")
        self.meaning.say(definition_of(figure.measure) if figure is not None else "")

    def _choose_columns(self) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for measure in (m for m in CATALOGUE.values() if m.of == self.kind):
            action = menu.addAction(heading_of(measure))
            action.setCheckable(True)
            action.setChecked(measure.key not in self._hidden)
            # The last one stays: a table without columns would say nothing.
            action.setEnabled(len(self.measures) > 1 or not action.isChecked())
            action.toggled.connect(lambda on, key=measure.key: self._show_column(key, on))
        menu.popup(self.columns.mapToGlobal(QPoint(0, self.columns.height())))

    def _show_column(self, key: str, on: bool) -> None:
        self._hidden = self._hidden - {key} if on else self._hidden | {key}
        self._fill()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        # Above what changes its height from figure to figure: it stays under the mouse.
        layout.addWidget(self.next)
        layout.addLayout(self._chooser())
        for part in (self.table, self.what, self.doubt, self.meaning):
            layout.addWidget(part)
        row = QHBoxLayout()
        row.addWidget(self.copy_button)
        row.addWidget(self.columns)
        layout.addLayout(row)

    def _chooser(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        for kind, words in KINDS.items():
            button = QToolButton()
            button.setObjectName(f"of_{kind}")
            button.setText(words)
            button.setCheckable(True)
            button.setChecked(kind == "vertebra")
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            give_role(button, "chip")
            self._group.addButton(button)
            button.toggled.connect(lambda on: self._fill() if on else None)
            row.addWidget(button)
            self.kinds[kind] = button
        return row


def _button(text: str, name: str, help_text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tooltip(help_text))
    return button
