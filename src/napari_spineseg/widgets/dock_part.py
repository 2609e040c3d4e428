"""What stands in a dock: as narrow as it can be, with a Tab key that goes as the eye does."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_spineseg.widgets.narrow import let_narrow
from napari_spineseg.widgets.tab_order import order_tabs


class DockPart(QWidget):
    """A panel in a dock of napari's, or a page of such a panel."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # All the height there is: napari would push it together otherwise.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def event(self, event: QEvent) -> bool:
        """What was laid out anew may need less room than it did."""
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            let_narrow(self)
        return done

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab: what came or went since the last time has its place too."""
        order_tabs(self)
        return super().focusNextPrevChild(forward)
