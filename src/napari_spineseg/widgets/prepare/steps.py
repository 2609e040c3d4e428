"""The recipe as a list: steps to add, reorder, switch off, with the settings of the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_spineseg.errors import SettingsError
from napari_spineseg.preprocessing import STEPS, GeometricStep, Step, name_of
from napari_spineseg.preprocessing.step_words import step_words
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.settings_form import Choices, SettingsForm, settings_from

_STEP = Qt.ItemDataRole.UserRole
_ROWS = 7  # so many are shown before the list scrolls
_FLAGS = (
    Qt.ItemFlag.ItemIsEnabled
    | Qt.ItemFlag.ItemIsSelectable
    | Qt.ItemFlag.ItemIsUserCheckable
    | Qt.ItemFlag.ItemIsDragEnabled
)


class StepList(QWidget):
    """Steps in their order, and below them the form of the one that is chosen.

    Parameters
    ----------
    references
        The scans that a step's `reference` may name, in words.
    """

    changed = Signal()
    """Another recipe: a step came, went, moved, was switched or has other settings."""
    chosen = Signal(object)
    """The step whose settings are shown, or None."""

    def __init__(self, references: Callable[[], Choices], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._references = references
        self._form: SettingsForm | None = None
        self.list = _Rows()
        self.list.setObjectName("steps")
        self.list.setAccessibleName("Steps")
        self.help = Words("", "muted")
        self.trouble = Words("", "error")
        self.extra = QVBoxLayout()
        self._forms = QVBoxLayout()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.list)
        layout.addLayout(self._buttons())
        for part in (self.help, self.trouble):
            layout.addWidget(part)
        layout.addLayout(self._forms)
        layout.addLayout(self.extra)
        self.list.itemChanged.connect(self._on_switched)
        self.list.currentItemChanged.connect(self._on_chosen)
        self.list.model().rowsMoved.connect(lambda *_: self._on_changed())
        self.list.asked_to_move.connect(self.move)
        self.list.asked_to_remove.connect(self.remove)
        self._on_changed()

    def steps(self) -> tuple[Step, ...]:
        """The steps that are switched on, in order."""
        return tuple(
            item.data(_STEP) for item in self.list.items() if item.checkState() == Qt.CheckState.Checked
        )

    def switched_off(self) -> int:
        """How many steps are there without being done."""
        return self.list.count() - len(self.steps())

    def set_steps(self, steps: Iterable[Step]) -> None:
        """Show another recipe."""
        with QSignalBlocker(self.list):
            self.list.clear()
            for step in steps:
                self.list.addItem(_item(step))
        self.list.setCurrentRow(0)
        self._on_chosen(self.list.currentItem())
        self._on_changed()

    def add(self, step: Step) -> None:
        """Put a step after the chosen one, and choose it."""
        row = self.list.currentRow() + 1 if self.list.count() else 0
        with QSignalBlocker(self.list):
            self.list.insertItem(row, _item(step))
        self.list.setCurrentRow(row)
        self._on_changed()

    def current(self) -> Step | None:
        """The step whose settings are shown."""
        item = self.list.currentItem()
        return item.data(_STEP) if item is not None else None

    def change_current(self, step: Step) -> None:
        """Give the chosen step other settings, from elsewhere than its form."""
        if self._form is not None:
            with QSignalBlocker(self._form):
                self._form.set_values(step.model_dump(exclude={"step"}))
        self._keep(step)

    def form(self) -> SettingsForm | None:
        """The form of the chosen step; None if it has no settings."""
        return self._form

    def refresh_references(self) -> None:
        """List the scans of the window anew in the form of a step that needs one."""
        step = self.current()
        if self._form is not None and step is not None and "reference" in type(step).model_fields:
            self._form.refresh_choices("reference")

    def move(self, by: int) -> None:
        """Move the chosen step up (-1) or down (1)."""
        row = self.list.currentRow()
        if row < 0 or not 0 <= row + by < self.list.count():
            return
        with QSignalBlocker(self.list):
            item = self.list.takeItem(row)
            self.list.insertItem(row + by, item)
            self.list.setCurrentRow(row + by)
        self._on_changed()

    def remove(self) -> None:
        """Take the chosen step away."""
        row = self.list.currentRow()
        if row < 0:
            return
        with QSignalBlocker(self.list):
            self.list.takeItem(row)
        self._on_chosen(self.list.currentItem())
        self._on_changed()

    def _buttons(self) -> QHBoxLayout:
        self.add_button = QPushButton("Add step…")
        self.add_button.setObjectName("add_step")
        self.menu = _menu(self, self.add)
        self.add_button.clicked.connect(
            lambda: self.menu.popup(self.add_button.mapToGlobal(self.add_button.rect().bottomLeft()))
        )
        self.up = _tool("▲", "Move the step up (Alt+Up)", lambda: self.move(-1))
        self.down = _tool("▼", "Move the step down (Alt+Down)", lambda: self.move(1))
        self.remove_button = _tool("✕", "Take the step away (Delete)", self.remove)
        row = QHBoxLayout()
        row.addWidget(self.add_button, stretch=1)
        for button in (self.up, self.down, self.remove_button):
            row.addWidget(button)
        return row

    def _on_switched(self, item: QListWidgetItem) -> None:
        self._on_changed()

    def _on_chosen(self, item: QListWidgetItem | None, _: object = None) -> None:
        """Show the settings of another step."""
        if self._form is not None:
            self._form.hide()
            self._form.deleteLater()
            self._form = None
        self.trouble.say("")
        step = item.data(_STEP) if item is not None else None
        self.help.say(type(step).help if step is not None else "")
        fields = [name for name in type(step).model_fields if name != "step"] if step is not None else []
        if fields:
            choices = {"reference": self._references} if "reference" in fields else {}
            self._form = SettingsForm(type(step), fields, choices)
            self._form.set_values(step.model_dump())
            self._form.changed.connect(self._on_edited)
            self._forms.addWidget(self._form)
            self._on_edited()  # a reference that is gone gives way to the first one there is
        self._show_buttons()
        self.chosen.emit(step)

    def _on_edited(self) -> None:
        try:
            self._keep(settings_from(type(self.current()), self._form))
        except SettingsError as error:
            self.trouble.say(str(error))
            return
        self.trouble.say("")

    def _keep(self, step: Step) -> None:
        if step == self.current():
            return
        item = self.list.currentItem()
        with QSignalBlocker(self.list):
            item.setData(_STEP, step)
            item.setToolTip(tooltip(step_words(step)))
        self.changed.emit()

    def _on_changed(self) -> None:
        self.list.setVisible(self.list.count() > 0)
        self.list.updateGeometry()
        self._show_buttons()
        self.changed.emit()

    def _show_buttons(self) -> None:
        row, count = self.list.currentRow(), self.list.count()
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.remove_button.setEnabled(row >= 0)


class _Rows(QListWidget):
    """As high as its rows; they are moved by dragging too, or with Alt and the arrow keys."""

    asked_to_move = Signal(int)
    asked_to_remove = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSpacing(2)

    def items(self) -> list[QListWidgetItem]:
        """From the first to the last."""
        return [self.item(row) for row in range(self.count())]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt+Up, Alt+Down, Delete."""
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(event.key())
        if by is not None and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self.asked_to_move.emit(by)
        elif event.key() == Qt.Key.Key_Delete:
            self.asked_to_remove.emit()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """All rows, up to `_ROWS` of them."""
        row = self.sizeHintForRow(0) + 2 * self.spacing() if self.count() else 0
        return QSize(super().sizeHint().width(), min(self.count(), _ROWS) * row + 2 * self.frameWidth() + 2)

    def minimumSizeHint(self) -> QSize:
        """The same: a list of steps is not squeezed."""
        return QSize(super().minimumSizeHint().width(), self.sizeHint().height())


def _item(step: Step) -> QListWidgetItem:
    item = QListWidgetItem(type(step).title)
    item.setFlags(_FLAGS)
    item.setCheckState(Qt.CheckState.Checked)
    item.setData(_STEP, step)
    item.setToolTip(tooltip(step_words(step)))
    return item


def _tool(sign: str, help_text: str, slot: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setText(sign)
    button.setToolTip(tooltip(help_text))
    button.setAccessibleName(help_text.split(" (")[0])
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.clicked.connect(slot)
    return button


def _menu(parent: StepList, add: Callable[[Step], None]) -> QMenu:
    """Every step there is, those that move voxels first."""
    menu = QMenu(parent)
    menu.setToolTipsVisible(True)
    for geometric in (True, False):
        for kind in STEPS:
            if issubclass(kind, GeometricStep) is geometric:
                action = menu.addAction(kind.title)
                action.setObjectName(name_of(kind))
                action.setToolTip(tooltip(kind.help))
                action.triggered.connect(lambda _=False, kind=kind: add(kind()))
        if geometric:
            menu.addSeparator()
    return menu
