"""Small widgets that behave in a narrow dock: nothing is cut off without a way to read it."""

from __future__ import annotations

import html
import re

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFont, QFontMetrics, QPaintEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from napari_spineseg.widgets.style import Role, give_role

_LABEL_EMS = 5
_LEAST_LETTERS = 4  # of a choice, in the narrowest panel
_AROUND = 8  # pixels that are seen around what is brought into sight


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


class TightButton(QToolButton):
    """A button of a row, as narrow as its word in bold: whichever is bold, the others do not move.

    Qt's own hint has room for two blanks more, and five of those in a row hold the panel wide.

    Parameters
    ----------
    beside
        Pixels on either side of the word, for the border and padding of its role.
    """

    def __init__(self, text: str, beside: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._beside = beside
        self.setText(text)

    def sizeHint(self) -> QSize:
        """The word, and what is beside it."""
        bold = QFont(self.font())
        bold.setWeight(QFont.Weight.DemiBold)
        word = QFontMetrics(bold).horizontalAdvance(self.text())
        return QSize(word + 2 * self._beside, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """No word is ever cut off."""
        return self.sizeHint()


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
        self.setMinimumContentsLength(_LEAST_LETTERS)
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


def bring_into_sight(widget: QWidget) -> None:
    """Scroll the page that `widget` is on so that it is seen, as far as it fits."""
    area = widget.parentWidget()
    while area is not None and not isinstance(area, QScrollArea):
        area = area.parentWidget()
    if area is not None:
        area.ensureWidgetVisible(widget, 0, _AROUND)


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
