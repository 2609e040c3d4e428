"""A line for a path that shows the path's end, which says more than its beginning."""

from __future__ import annotations

from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QLineEdit, QWidget

from napari_spineseg.widgets.parts import tooltip


class PathLine(QLineEdit):
    """Where it is too narrow for the path, its end is seen; the whole of it on hover."""

    def __init__(self, path: str = "", parent: QWidget | None = None) -> None:
        super().__init__(path, parent)
        self.textChanged.connect(self._on_text)
        self._on_text(path)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """What was looked at in its middle is seen by its end again."""
        super().focusOutEvent(event)
        self.end(False)

    def _on_text(self, path: str) -> None:
        self.setToolTip(tooltip(path))
        if not self.hasFocus():
            self.end(False)
