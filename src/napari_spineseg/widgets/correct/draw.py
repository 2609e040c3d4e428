"""How the brush draws: mode, size, on one slice or through several, and where it may go."""

from __future__ import annotations

from napari.layers import Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QSlider, QToolButton, QVBoxLayout, QWidget

from napari_spineseg.corrections.confine import Confine
from napari_spineseg.widgets.correct.brush import Brush
from napari_spineseg.widgets.correct.keys import key_of
from napari_spineseg.widgets.parts import Choice, TightButton, Words, tooltip
from napari_spineseg.widgets.style import give_role

_MODES = {"paint": "Paint", "erase": "Erase", "fill": "Fill", "pick": "Pick", "move": "Move"}
_NAPARI = {"paint": "paint", "erase": "erase", "fill": "fill", "pick": "pick", "move": "pan_zoom"}
_LARGEST = 60
_BESIDE = 5  # pixels on either side of a mode's word


class DrawPanel(QWidget):
    """The brush's settings, in step with napari's own controls."""

    chosen = Signal(str)
    """The action of a mode button."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: Labels | None = None
        self._brush: Brush | None = None
        self.modes: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        modes = QHBoxLayout()
        modes.setSpacing(2)
        for action, title in _MODES.items():
            button = self.modes[action] = _mode_button(action, title)
            button.clicked.connect(lambda _=False, action=action: self.chosen.emit(action))
            group.addButton(button)
            modes.addWidget(button, stretch=1)
        group.setExclusive(False)
        self.size = QSlider(Qt.Orientation.Horizontal)
        self.size.setObjectName("brush_size")
        self.size.setAccessibleName("Brush size")
        self.size.setRange(1, _LARGEST)
        self.size.valueChanged.connect(self._on_size)
        self.size_words = Words("", "muted")
        self.through = QCheckBox("Through several slices")
        self.through.setObjectName("brush_3d")
        self.through.setToolTip(tooltip(f"A ball instead of a disc ({key_of('brush_3d').text})"))
        self.through.toggled.connect(self._on_through)
        self.confine = Choice()
        self.confine.setObjectName("confine")
        self.confine.setAccessibleName("What may be painted over")
        for confine in Confine:
            self.confine.addItem(confine.title, confine)
        self.confine.set_help(f"{key_of('confine').words} ({key_of('confine').text})")
        self.confine.currentIndexChanged.connect(self._on_confine)
        row = QHBoxLayout()
        row.addWidget(self.size, stretch=1)
        row.addWidget(self.size_words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(modes)
        layout.addLayout(row)
        layout.addWidget(self.through)
        layout.addWidget(self.confine)

    def show_layer(self, layer: Labels | None, brush: Brush | None) -> None:
        """Follow `layer` and its brush."""
        if self._layer is not None:
            self._layer.events.mode.disconnect(self._on_mode)
            self._layer.events.brush_size.disconnect(self._on_brush_size)
            self._layer.events.n_edit_dimensions.disconnect(self._on_dimensions)
        self._layer, self._brush = layer, brush
        self.setEnabled(layer is not None)
        if layer is None or brush is None:
            return
        layer.events.mode.connect(self._on_mode)
        layer.events.brush_size.connect(self._on_brush_size)
        layer.events.n_edit_dimensions.connect(self._on_dimensions)
        brush.confine = self.confine.currentData()
        self._on_mode()
        self._on_brush_size()
        self._on_dimensions()

    def show_mode(self, layer: Labels) -> None:
        """Mark the mode that is on."""
        for action, button in self.modes.items():
            button.setChecked(str(layer.mode) == _NAPARI[action])

    def change_size(self, by: int) -> None:
        """Make the brush larger or smaller, by about a tenth."""
        if self._layer is not None:
            size = int(self._layer.brush_size)
            self._layer.brush_size = max(1, size + by * max(1, size // 10))

    def toggle_3d(self) -> None:
        """Between a disc and a ball."""
        self.through.toggle()

    def next_confine(self) -> None:
        """The next choice of what may be painted over."""
        self.confine.setCurrentIndex((self.confine.currentIndex() + 1) % self.confine.count())

    @property
    def size_in_words(self) -> str:
        """How large the brush is."""
        return f"Brush of {self.size_words.words}."

    @property
    def depth_in_words(self) -> str:
        """How far the brush reaches across slices."""
        return f"The brush paints {'through several slices' if self.through.isChecked() else 'on one slice'}."

    @property
    def confine_in_words(self) -> str:
        """What may be painted over."""
        return f"Painting: {self.confine.currentText().lower()}."

    def _on_size(self, size: int) -> None:
        if self._layer is not None and int(self._layer.brush_size) != size:
            self._layer.brush_size = size

    def _on_through(self, on: bool) -> None:
        if self._layer is not None:
            self._layer.n_edit_dimensions = 3 if on else 2

    def _on_confine(self, index: int) -> None:
        if self._brush is not None:
            self._brush.confine = self.confine.itemData(index)

    def _on_mode(self, event: object = None) -> None:
        self.show_mode(self._layer)

    def _on_brush_size(self, event: object = None) -> None:
        size = int(self._layer.brush_size)
        self.size.setValue(min(size, _LARGEST))
        self.size_words.say(f"{size * float(min(self._layer.scale[1:])):.1f} mm")

    def _on_dimensions(self, event: object = None) -> None:
        self.through.setChecked(self._layer.n_edit_dimensions == 3)


def _mode_button(action: str, title: str) -> QToolButton:
    key = key_of(action)
    button = TightButton(title, _BESIDE)
    button.setObjectName(f"mode_{action}")
    button.setCheckable(True)
    button.setAccessibleName(key.words)
    button.setToolTip(tooltip(f"{key.words} ({key.text})"))
    give_role(button, "chip")
    return button
