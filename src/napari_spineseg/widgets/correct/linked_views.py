"""The same place in the two other planes: small axial and coronal pictures that follow the viewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_spineseg.anatomy import Scheme, colour_of
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.lifetime import at_end_of, while_alive
from napari_spineseg.widgets.parts import Words
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import go_to, volume_axes

if TYPE_CHECKING:
    from napari.viewer import Viewer

_SETTLE_MS = 40
_OPACITY = 0.4
_LINE = "#ffd166"
# A slab is narrow and a sagittal picture tall: of its height this much is shown around the place, mm.
_AROUND_MM = 50.0

# Which axes of (slices, rows, columns) run down and across, and how that looks.
_PLANES = {
    "Axial": (2, 0, "Seen from below: patient's right at the left, front at the top"),
    "Coronal": (1, 0, "Seen from the front: patient's right at the left"),
}


class LinkedViews(QWidget):
    """Axial and coronal pictures through one place. A click in one moves the viewer there."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._scan: Image | None = None
        self._labels: Labels | None = None
        self.point = np.zeros(3)
        self.views = {name: PlaneView(*plane) for name, plane in _PLANES.items()}
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        for name, view in self.views.items():
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(Words(name, "muted"))
            column.addWidget(view, stretch=1)
            self._row.addLayout(column, stretch=1)
            view.clicked.connect(self._on_clicked)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self.draw)
        viewer = session.viewer
        viewer.mouse_drag_callbacks.append(self._on_mouse)
        at_end_of(self, self._unwatch)
        while_alive(self, viewer.dims.events.point, self._on_moved)

    def show_layers(self, scan: Image | None, labels: Labels | None) -> None:
        """Show these from now on, at the place that the viewer shows."""
        if self._labels is not None:
            for event in (self._labels.events.paint, self._labels.events.set_data):
                event.disconnect(self._on_changed)
        if self._scan is not None:
            self._scan.events.contrast_limits.disconnect(self._on_changed)
        self._scan, self._labels = scan, labels
        if labels is not None:
            for event in (labels.events.paint, labels.events.set_data):
                event.connect(self._on_changed)
            self.point = (np.array(labels.data.shape) - 1) / 2
        if scan is not None:
            scan.events.contrast_limits.connect(self._on_changed)
        self._on_moved()
        self._settle.start()

    def go(self, point: np.ndarray) -> None:
        """Show index `point` (slice, row, column)."""
        self.point = np.asarray(point, float)
        self._settle.start()

    def resizeEvent(self, event: object) -> None:
        """Side by side in a dock that is wide, one below the other in one that is tall."""
        super().resizeEvent(event)
        across = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
        self._row.setDirection(across[int(self.height() > self.width())])

    def draw(self) -> None:
        """Draw both pictures anew."""
        layer = self._labels
        if not self.isVisible():
            return
        if layer is None:
            for view in self.views.values():
                view.clear()
            return
        at = [
            int(np.clip(round(float(p)), 0, n - 1)) for p, n in zip(self.point, layer.data.shape, strict=True)
        ]
        scan = self._scan if self._scan is not None and self._scan.data.shape == layer.data.shape else None
        for view in self.views.values():
            view.show_plane(scan, layer, at)

    def showEvent(self, event: object) -> None:
        """Catch up with what happened while it was hidden."""
        super().showEvent(event)
        self._settle.start()

    def _on_moved(self, event: object = None) -> None:
        """The slider moved: only the axis that it moves along is known anew."""
        layer, dims = self._labels, self._session.viewer.dims
        if layer is None:
            return
        here = layer.world_to_data(dims.point)
        shown = volume_axes(dims.displayed, dims.ndim)
        for axis in (n for n in range(3) if n not in shown):
            self.point[axis] = here[axis]
        self._settle.start()

    def _on_mouse(self, viewer: Viewer, event: object) -> None:
        """A click or a stroke in the picture: that is the place."""
        if self._labels is not None and len(event.dims_displayed) == 2 and self.isVisible():
            self.go(np.asarray(self._labels.world_to_data(event.position)))

    def _unwatch(self) -> None:
        callbacks = self._session.viewer.mouse_drag_callbacks
        if self._on_mouse in callbacks:
            callbacks.remove(self._on_mouse)

    def _on_clicked(self, point: tuple[float, float, float], axes: tuple[int, int]) -> None:
        layer = self._labels
        if layer is None:
            return
        for axis in axes:
            self.point[axis] = point[axis]
        go_to(self._session.viewer, layer.data_to_world(self.point))
        self._settle.start()

    def _on_changed(self, event: object = None) -> None:
        self._settle.start()


class PlaneView(QWidget):
    """One plane of a volume, in proportion, with its labels and cross-hairs."""

    clicked = Signal(object, object)
    """Index (slice, row, column), and the two axes of it that the plane knows."""

    def __init__(self, down: int, across: int, help_text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.down, self.across = down, across
        self.picture: QImage | None = None
        self._at, self._spacing = [0, 0, 0], (1.0, 1.0, 1.0)
        self._first = 0
        """Where along `down` the picture begins."""
        self.setToolTip(help_text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 110)

    def sizeHint(self) -> QSize:
        """Enough to tell a disc from a body; the border of the dock can be dragged."""
        return QSize(300, 190)

    def show_plane(self, scan: Image | None, layer: Labels, at: list[int]) -> None:
        """Show the plane through index `at`."""
        self._at, self._spacing = at, tuple(float(v) for v in layer.scale)
        shown = self._shown(layer.data.shape[self.down])
        self._first = shown.start
        spans = {self.down: shown, self.across: slice(None)}
        index = tuple(spans.get(n, at[n]) for n in range(3))
        labels = self._turned(np.asarray(layer.data[index]))
        grey = np.zeros(labels.shape) if scan is None else self._turned(np.asarray(scan.data[index]))
        limits = (0.0, 1.0) if scan is None else scan.contrast_limits
        self.picture = _image(picture(grey, limits, labels, scheme_of(layer)[0], layer.visible))
        self.update()

    def clear(self) -> None:
        """Show nothing: what was shown is closed."""
        self.picture = None
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the picture and where the other planes cut it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#000000"))
        if self.picture is None:
            return
        frame = self._frame()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(frame, self.picture)
        pen = QPen(QColor(_LINE))
        pen.setStyle(Qt.PenStyle.DotLine)
        painter.setPen(pen)
        x = (
            frame.left()
            + (self._mirrored(self._at[self.across]) + 0.5) / self.picture.width() * frame.width()
        )
        y = frame.top() + (self._at[self.down] - self._first + 0.5) / self.picture.height() * frame.height()
        painter.drawLine(QPointF(x, frame.top()), QPointF(x, frame.bottom()))
        painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to where the click is."""
        frame = self._frame()
        if self.picture is None or not frame.contains(event.position()):
            return
        share = event.position() - frame.topLeft()
        point = list(map(float, self._at))
        point[self.across] = float(self._mirrored(int(share.x() / frame.width() * self.picture.width())))
        point[self.down] = float(self._first + int(share.y() / frame.height() * self.picture.height()))
        self.clicked.emit(tuple(point), (self.down, self.across))

    def _shown(self, size: int) -> slice:
        """The part of the axis that runs down which is shown: around the place, inside of the volume."""
        reach = max(1, round(_AROUND_MM / self._spacing[self.down]))
        start = max(0, min(self._at[self.down] - reach, size - 2 * reach - 1))
        return slice(start, min(size, start + 2 * reach + 1))

    def _turned(self, plane: np.ndarray) -> np.ndarray:
        # What is left of a volume's axes comes in their own order: slices first, which run to the
        # patient's right. Radiologists see that at the left.
        return plane.T[:, ::-1]

    def _mirrored(self, index: int) -> int:
        return self.picture.width() - 1 - index

    def _frame(self) -> QRectF:
        """Where the picture is, in proportion to its millimetres."""
        if self.picture is None:
            return QRectF()
        wide = self.picture.width() * self._spacing[self.across]
        high = self.picture.height() * self._spacing[self.down]
        scale = min(self.width() / wide, self.height() / high)
        size = wide * scale, high * scale
        return QRectF((self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size)


def picture(
    grey: np.ndarray,
    limits: tuple[float, float],
    labels: np.ndarray,
    scheme: Scheme,
    with_labels: bool = True,
) -> np.ndarray:
    """(rows, columns, 3) uint8: an image between its contrast limits, with its labels over it."""
    low, high = limits
    shade = np.clip((grey.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1) * 255
    out = np.repeat(shade[..., None], 3, -1)
    for label in np.unique(labels[labels > 0]) if with_labels else []:
        colour = QColor(colour_of(int(label), scheme)).getRgb()[:3]
        where = labels == label
        out[where] = (1 - _OPACITY) * out[where] + _OPACITY * np.array(colour, np.float32)
    return out.astype(np.uint8)


def _image(pixels: np.ndarray) -> QImage:
    pixels = np.ascontiguousarray(pixels)
    height, width, _ = pixels.shape
    # A copy, because Qt does not keep the array alive.
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
