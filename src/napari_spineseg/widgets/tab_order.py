"""The Tab key goes through a page as the eye does, whichever widget was made first."""

from __future__ import annotations

from itertools import pairwise

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QWidget

# Widgets of one row differ in height, so that their middles need not be quite level, pixels.
_ROW = 8


def order_tabs(root: QWidget) -> None:
    """Let Tab visit what is seen in `root` row by row, from the left.

    Qt goes by the order in which widgets were made: what a page lists anew would come after all else
    in the window.
    """
    for first, second in pairwise(by_place(root)):
        QWidget.setTabOrder(first, second)


def by_place(root: QWidget) -> list[QWidget]:
    """What Tab can reach in `root`, from the top down and from left to right."""
    found = [(widget.mapTo(root, QPoint(0, widget.height() // 2)), widget) for widget in _reachable(root)]
    rows: list[list[tuple[QPoint, QWidget]]] = []
    for place, widget in sorted(found, key=lambda pair: pair[0].y()):
        if not rows or place.y() - rows[-1][0][0].y() > _ROW:
            rows.append([])
        rows[-1].append((place, widget))
    return [widget for row in rows for _, widget in sorted(row, key=lambda pair: pair[0].x())]


def _reachable(root: QWidget) -> list[QWidget]:
    return [
        widget
        for widget in root.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.isVisible()
        and widget.isEnabled()
        # The line inside a spin box or a list belongs to it.
        and not isinstance(widget.parent(), (QAbstractSpinBox, QComboBox))
    ]
