"""Offers once, in a line at the top, to open medical files with SpineSeg from now on."""

from __future__ import annotations

from napari.settings import get_plugin_settings, get_settings
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.io.default_reader import is_default, with_spineseg
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.style import give_role

_QUESTION = (
    "Files like .nii, .mha and .dcm can be opened by several plugins, and napari asks each time. "
    "Open them with SpineSeg from now on?"
)


class DefaultReaderOffer(QFrame):
    """Two buttons that change napari's reader preferences, or leave them alone. Shown once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        give_role(self, "card")
        self.yes = QPushButton("Yes")
        self.yes.setObjectName("make_default")
        self.no = QPushButton("No, keep asking")
        self.yes.clicked.connect(self._accept)
        self.no.clicked.connect(self._close)
        row = QHBoxLayout()
        row.addWidget(self.yes)
        row.addWidget(self.no)
        row.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addWidget(Words(_QUESTION))
        layout.addLayout(row)
        if not should_offer():
            self.hide()

    def showEvent(self, event: QShowEvent) -> None:
        """Every page has one; what was answered on one of them is not asked on the next."""
        super().showEvent(event)
        if not should_offer():
            self.hide()

    def _accept(self) -> None:
        plugins = get_settings().plugins
        plugins.extension2reader = with_spineseg(plugins.extension2reader)
        self._close()

    def _close(self) -> None:
        get_plugin_settings("spineseg").opening.offer_default_reader = False
        self.hide()


def should_offer() -> bool:
    """Whether the question was never answered and SpineSeg is not the default already."""
    if is_default(get_settings().plugins.extension2reader):
        return False
    return bool(get_plugin_settings("spineseg").opening.offer_default_reader)
