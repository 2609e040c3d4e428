"""Before and after: a line to drag across the picture, and a button that changes between the two."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSlider, QWidget

from napari_spineseg.widgets.parts import tooltip


class SwipeRow(QWidget):
    """How much of the scan before is shown, from the left."""

    moved = Signal(float)
    """The share that is shown as it was, 0 to 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setObjectName("swipe")
        self.slider.setRange(0, 100)
        self.slider.setAccessibleName("How much of the scan before is shown, from the left")
        self.slider.setToolTip(tooltip("Drag to uncover the scan before, from the left"))
        self.before = QPushButton("Before")
        self.before.setObjectName("before")
        self.before.setCheckable(True)
        self.before.setToolTip(tooltip("Change between before and after"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.before)
        row.addWidget(self.slider, stretch=1)
        self.slider.valueChanged.connect(self._on_moved)
        self.before.toggled.connect(lambda on: self.slider.setValue(100 if on else 0))
        self.hide()

    def reset(self) -> None:
        """All of it as it will be."""
        self.slider.setValue(0)

    def _on_moved(self, value: int) -> None:
        with QSignalBlocker(self.before):
            self.before.setChecked(value == 100)
        self.moved.emit(value / 100)
