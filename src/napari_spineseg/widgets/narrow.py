"""A dock that was wide once can be narrow again."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QWidget

_FRAME = 8  # pixels on both sides of what floats, at most


def let_narrow(content: QWidget) -> None:
    """Let the dock around `content`, if there is one, be as narrow as what it holds can be by now.

    Qt takes the least width that a dock had to have, for large text or a wide page, as one that was asked
    for, and never goes below it again.
    """
    around = content.parentWidget()
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    if around is None or around.minimumWidth() == around.maximumWidth():  # there is none, or it is held
        return
    held = around.widget()  # a page may be a part of it only
    if held is not None and around.minimumWidth() > held.minimumSizeHint().width() + _FRAME:
        around.setMinimumWidth(0)
