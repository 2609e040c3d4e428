"""A form made from a settings class, so that no title, range or default is written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from napari_spineseg.errors import SettingsError
from napari_spineseg.widgets.parts import Choice, form_layout, row_label, tooltip

Settings = TypeVar("Settings", bound=BaseModel)
Choices = Sequence[tuple[Any, str]]
"""Values and the words they are shown with."""

_LIMIT = 1_000_000


@dataclass(frozen=True)
class _Editor:
    """A widget that holds one value."""

    widget: QWidget
    get: Callable[[], Any]
    set: Callable[[Any], None]


class SettingsForm(QWidget, Generic[Settings]):
    """Rows for some fields of a settings class.

    Parameters
    ----------
    settings
        The class. Its fields give titles, descriptions (tooltips), ranges and defaults.
    fields
        Which fields to show, in order.
    choices
        For a field whose values are known only now, or should be shown in other words: a function
        that lists `(value, words)`.
    """

    changed = Signal()

    def __init__(
        self,
        settings: type[Settings],
        fields: Iterable[str],
        choices: Mapping[str, Callable[[], Choices]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._choices = dict(choices or {})
        self._editors: dict[str, _Editor] = {}
        layout = form_layout(self)
        for name in fields:
            self._add_row(layout, name, settings.model_fields[name])

    def values(self) -> dict[str, Any]:
        """What the rows say, by field name."""
        return {name: editor.get() for name, editor in self._editors.items()}

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show `values`; fields without a row are left out."""
        for name, value in values.items():
            if name in self._editors:
                self._editors[name].set(value)

    def editor(self, name: str) -> QWidget:
        """The widget of a field."""
        return self._editors[name].widget

    def refresh_choices(self, name: str) -> None:
        """List the choices of `name` anew and keep what was chosen, if it is still there."""
        editor = self._editors[name]
        kept = editor.get()
        _fill(editor.widget, self._choices[name]())
        editor.set(kept)

    def _add_row(self, layout: QFormLayout, name: str, field: FieldInfo) -> None:
        editor = self._make_editor(name, field)
        title = field.title or name
        widget = editor.widget
        widget.setObjectName(name)
        widget.setAccessibleName(title)
        widget.setToolTip(tooltip(field.description or ""))
        if isinstance(widget, Choice):
            widget.set_help(field.description or "")
        editor.set(field.get_default(call_default_factory=True))
        self._editors[name] = editor
        if isinstance(widget, QCheckBox):
            widget.setText(title)
            layout.addRow(widget)
            return
        layout.addRow(row_label(title, widget, field.description or ""), widget)

    def _make_editor(self, name: str, field: FieldInfo) -> _Editor:
        if name in self._choices:
            return self._choice(self._choices[name]())
        if get_origin(field.annotation) is Literal:
            return self._choice([(value, str(value)) for value in get_args(field.annotation)])
        make = {bool: self._check, int: self._number, float: self._number, str: self._text}[field.annotation]
        return make(field)

    def _choice(self, choices: Choices) -> _Editor:
        box = Choice()
        _fill(box, choices)
        box.currentIndexChanged.connect(self.changed)
        return _Editor(box, box.currentData, lambda value: _choose(box, value))

    def _check(self, field: FieldInfo) -> _Editor:
        box = QCheckBox()
        box.toggled.connect(self.changed)
        return _Editor(box, box.isChecked, box.setChecked)

    def _number(self, field: FieldInfo) -> _Editor:
        whole = field.annotation is int
        box = QSpinBox() if whole else QDoubleSpinBox()
        if not whole:
            extra = field.json_schema_extra
            box.setDecimals(extra.get("decimals", 2) if isinstance(extra, dict) else 2)
        low, high = _range(field, step=1 if whole else 10 ** -box.decimals())
        box.setRange(low, high)
        box.setKeyboardTracking(False)
        box.valueChanged.connect(self.changed)
        return _Editor(box, box.value, box.setValue)

    def _text(self, field: FieldInfo) -> _Editor:
        line = QLineEdit()
        line.editingFinished.connect(self.changed)
        return _Editor(line, line.text, line.setText)


def settings_from(settings: type[Settings], *forms: SettingsForm) -> Settings:
    """The settings that some forms say together.

    Raises
    ------
    SettingsError
        If they contradict each other.
    """
    values = {name: value for form in forms for name, value in form.values().items()}
    try:
        return settings(**values)
    except ValidationError as error:
        raise SettingsError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _fill(box: Choice, choices: Choices) -> None:
    box.blockSignals(True)
    box.clear()
    for value, words in choices:
        box.addItem(words, value)
    box.blockSignals(False)
    box.currentTextChanged.emit(box.currentText())


def _choose(box: Choice, value: Any) -> None:
    index = box.findData(value)
    box.setCurrentIndex(max(index, 0))


def _range(field: FieldInfo, step: float) -> tuple[float, float]:
    """Lowest and highest value that the field's constraints allow; open ends stop one step short."""
    low, high = -_LIMIT, _LIMIT
    for rule in field.metadata:
        low = max(low, getattr(rule, "ge", low), getattr(rule, "gt", low - step) + step)
        high = min(high, getattr(rule, "le", high), getattr(rule, "lt", high + step) - step)
    return low, high
