"""Held-back slices as corrected, as the model saw them before, and after learning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.learning.run.events import PreviewEvent
from napari_spineseg.widgets.parts import Words

_MOST = 3
_OPACITY = 0.45
_UNKNOWN = 255
_GAP = 6


class LearnPictures(QWidget):
    """The latest pictures of a run, the newest for each slice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: dict[tuple[str, int], tuple[Words, _Picture]] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.hide()

    def clear(self) -> None:
        """Show none."""
        for words, picture in self._shown.values():
            words.deleteLater()
            picture.deleteLater()
        self._shown.clear()
        self.hide()

    def add(self, preview: PreviewEvent, folder: Path) -> None:
        """Show a slice, in the place of an earlier picture of it."""
        try:
            with np.load(folder / preview.file, allow_pickle=False) as content:
                tiles = [_tinted(content["image"], content[name]) for name in ("truth", "before", "after")]
        except (OSError, KeyError, ValueError):  # a picture is no reason to stop
            return
        key = (preview.scan, preview.slice)
        if key not in self._shown:
            if len(self._shown) >= _MOST:
                return
            self._shown[key] = (Words("", "muted", self), _Picture(self))
            for part in self._shown[key]:
                self._layout.addWidget(part)
        words, picture = self._shown[key]
        words.say(
            f"{preview.scan}, slice {preview.slice}: corrected · before {_number(preview.before)} · "
            f"after {_number(preview.after)}"
        )
        picture.show_tiles(tiles)
        self.show()

    def count(self) -> int:
        """How many slices are shown."""
        return len(self._shown)


class _Picture(QLabel):
    """Tiles side by side, as wide as there is room."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._pixmap = QPixmap()
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_tiles(self, tiles: list[np.ndarray]) -> None:
        """(height, width, 3) uint8 each."""
        gap = np.zeros((tiles[0].shape[0], _GAP, 3), np.uint8)
        whole = np.ascontiguousarray(np.hstack([tiles[0], gap, tiles[1], gap, tiles[2]]))
        height, width, _ = whole.shape
        image = QImage(whole.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._pixmap = QPixmap.fromImage(image.copy())
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width, another size."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._pixmap.isNull() or self.width() < 2:
            return
        scaled = self._pixmap.scaledToWidth(self.width(), Qt.TransformationMode.SmoothTransformation)
        self.setFixedHeight(scaled.height())
        self.setPixmap(scaled)


def _tinted(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A grey slice with structures in their colours: (height, width, 3) uint8."""
    rgb = np.repeat(image[..., None], 3, axis=2).astype(np.float32)
    for structure in Structure:
        here = labels == int(structure)
        if structure and here.any():
            code = colour_of(int(structure), "structures")
            colour = np.array([int(code[k : k + 2], 16) for k in (1, 3, 5)])
            rgb[here] = (1 - _OPACITY) * rgb[here] + _OPACITY * colour
    rgb[labels == _UNKNOWN] *= 0.6
    return rgb.astype(np.uint8)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
