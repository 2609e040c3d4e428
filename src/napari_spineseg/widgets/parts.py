"""Small widgets that behave in a narrow dock: nothing is cut off without a way to read it."""

from __future__ import annotations

import html
import re

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QWidget,
)

from napari_spineseg.widgets.style import Role, give_role

_LABEL_EMS = 5


class Words(QLabel):
    """A text that wraps, inside long file names too, and can be selected."""

    def __init__(self, text: str = "", role: Role | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._words = ""
        self.say(text)
        if role:
            give_role(self, role)

    @property
    def words(self) -> str:
        """The text as it was given."""
        return self._words

    def say(self, text: str) -> None:
        """Show `text`; an empty one takes no room."""
        self._words = text
        self.setText(_breakable(text))
        # To show what has no parent yet would open a window of its own.
        if self.parentWidget() is not None or not text:
            self.setVisible(bool(text))


class Part(QWidget):
    """A part of a page with texts that wrap: as high as its width asks for."""

    def minimumSizeHint(self) -> QSize:
        """No least height: wrapped texts claim that of their narrowest form, which nobody sees."""
        return QSize(super().minimumSizeHint().width(), 0)


class Choice(QComboBox):
    """A combo box that shortens what does not fit, with the whole of it as a tooltip.

    Parameters
    ----------
    elide
        Where: names of scans differ at their ends, titles of models at their beginnings.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._elide = elide
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._help = ""
        self.currentTextChanged.connect(self._explain)

    def set_help(self, text: str) -> None:
        """What the tooltip says besides the chosen entry."""
        self._help = text
        self._explain(self.currentText())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the box with its text elided."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        room = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        ).width()
        whole = option.currentText
        option.currentText = self.fontMetrics().elidedText(whole, self._elide, room - 4)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _explain(self, whole: str) -> None:
        self.setToolTip(tooltip("\n".join(text for text in (whole, self._help) if text)))


def form_layout(parent: QWidget | None = None) -> QFormLayout:
    """Rows of label and field; a row that is too long for the dock goes over two lines."""
    layout = QFormLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
    return layout


def row_label(text: str, field: QWidget, help_text: str = "") -> QLabel:
    """The label of a form row. All are as wide as the usual ones, so that the fields of a page line up."""
    label = QLabel(text)
    label.setBuddy(field)
    label.setToolTip(tooltip(help_text))
    label.setMinimumWidth(label.fontMetrics().horizontalAdvance("M" * _LABEL_EMS))
    return label


def tooltip(text: str) -> str:
    """`text` as a tooltip that wraps instead of running across the screen."""
    lines = "<br>".join(html.escape(line) for line in text.splitlines())
    return f"<qt>{lines}</qt>" if lines else ""


def _breakable(text: str) -> str:
    """Allow a line break after the signs that hold file names together (zero-width spaces), not in numbers.

    >>> _breakable("t2_space.nii").split("\\u200b"), _breakable("0.897 to 0.896").split("\\u200b")
    (['t2_', 'space.', 'nii'], ['0.897 to 0.896'])
    """
    return re.sub(r"(?<=\w)([_/\\.\-]+)(?=\w{3})(?!(?<=\d\.)\d)", "\\1\u200b", text)
