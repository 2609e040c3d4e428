"""The help sheet of the Correct page: every key, made from the same table that binds them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_spineseg.widgets.correct.keys import CORRECT_KEYS, key_of
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.style import give_role, sheet

if TYPE_CHECKING:
    from napari_spineseg.widgets.correct.page import CorrectPage


class HelpSheet(QDialog):
    """A window beside the work; it blocks nothing."""

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys of the Correct page")
        self.setModal(False)
        self.setStyleSheet(sheet(theme))
        table = QWidget()
        grid = QGridLayout(table)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(3)
        row = 0
        for group, keys in groupby(CORRECT_KEYS, key=lambda key: key.group):
            grid.addWidget(Words(group, "title"), row, 0, 1, 2)
            for key in keys:
                row += 1
                sign = QLabel(key.text)
                give_role(sign, "muted")
                grid.addWidget(sign, row, 0, alignment=Qt.AlignmentFlag.AlignTop)
                words = Words(key.words)
                words.setAlignment(Qt.AlignmentFlag.AlignTop)  # in a row that is higher than one line, too
                grid.addWidget(words, row, 1, alignment=Qt.AlignmentFlag.AlignTop)
            row += 1
        grid.setColumnStretch(1, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(table)
        layout = QVBoxLayout(self)
        layout.addWidget(Words("Keys work in the picture and on the page.", "muted"))
        layout.addWidget(area)
        self.resize(420, 640)


def help_button(show: Callable[[], object]) -> QPushButton:
    """The button that opens the sheet."""
    button = QPushButton("Keys")
    button.setObjectName("help")
    button.setToolTip(tooltip(f"All keys on one sheet ({key_of('help').text})"))
    button.clicked.connect(lambda: show())
    return button


def show_help(page: CorrectPage) -> None:
    """Open the sheet with all keys."""
    page.help_sheet = HelpSheet(page.session.viewer.theme, page)
    page.help_sheet.show()
