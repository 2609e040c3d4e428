"""Where figures were taken: lines on the slice they belong to, in the colours of the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from napari.layers import Labels, Shapes
from qtpy.QtCore import QObject

from napari_spineseg.widgets.known import KEY
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import add_beside, placement_of, volume_axes

_NAME = "measures"
_CHOSEN = "#ffd166"
# A line in the colour of its level would not be seen on the level itself: each lies on a wider one.
_CASING, _CASING_OF_CHOSEN = "#ffffff", "#000000"
_THIN_MM, _THICK_MM, _RIM_MM = 0.9, 1.4, 0.35
# napari's texts have no outline: four dark ones around a bright one make it legible on fat and on air.
_HALO_MM = 0.45
_HALO = [(down, across) for down in (-_HALO_MM, _HALO_MM) for across in (-_HALO_MM, _HALO_MM)]
_HIDDEN = "#00000000"


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a figure.

    Attributes
    ----------
    points
        (n, 3) index into the labels' (slices, height, width).
    place
        (3,) index of the middle of the figure: all of its lines are drawn in the slice through that.
    colour
        That of its level; the chosen one has a colour of its own.
    """

    points: np.ndarray
    place: np.ndarray
    colour: str
    chosen: bool = False


class MeasureLines(QObject):
    """A passing layer over the labels that were measured. A person may remove it at any time."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._lines: tuple[Line, ...] = ()
        self._words = ""
        self._labels: Labels | None = None
        self.layer: Shapes | None = None
        dims = session.viewer.dims
        while_alive(self, dims.events.order, self._turn)
        while_alive(self, dims.events.ndisplay, self._turn)

    def show(self, labels: Labels, lines: Sequence[Line], words: str) -> None:
        """Draw `lines` over `labels`, in place of those before, and `words` above those that are chosen."""
        self._words = words
        self._lines, self._labels = tuple(line for line in lines if len(line.points) > 1), labels
        if not self._lines:
            self.clear()
            return
        if self._there() and not _same_place(self.layer, labels):
            self._remove()
        if not self._there():
            self.layer = _empty(labels)
            add_beside(self._session.viewer, self.layer)
        self._draw()

    def clear(self) -> None:
        """Take the lines away."""
        self._lines, self._labels = (), None
        if self._there():
            self._remove()
        self.layer = None

    def _there(self) -> bool:
        return self.layer is not None and self._session.open and self.layer in layers_of(self._session.viewer)

    def _remove(self) -> None:
        self._session.viewer.layers.remove(self.layer)

    def _turn(self, event: object = None) -> None:
        """Another plane is shown: a line lies in a slice of that one now."""
        if self._there() and self._lines:
            self._draw()

    def _draw(self) -> None:
        layer, labels = self.layer, self._labels
        spacing = float(np.mean(labels.scale[-2:]))
        dims = self._session.viewer.dims
        shape = labels.data.shape
        seen = volume_axes(dims.displayed, dims.ndim)
        hidden = [n for n in range(3) if n not in seen]
        lines = [replace(x, points=flattened(x, hidden, shape)) for x in self._in_order()]
        strokes = [stroke for line in lines for stroke in _strokes(line)]
        if chosen := [line.points for line in lines if line.chosen]:
            halo = np.zeros((len(_HALO), 3))
            halo[:, seen[-2:]] = _HALO
            strokes += _texts(self._words, np.concatenate(chosen), halo / labels.scale[-3:])
        # The lines lie within the labels, so that nobody has to be told of a new extent: that takes long.
        with layer.events.data.blocker():
            layer.data = []
            layer.add(
                [s.points for s in strokes],
                shape_type="path",
                edge_width=[s.mm / spacing for s in strokes],
                edge_color=[s.colour for s in strokes],
                face_color="transparent",
            )
        layer.features = {"words": [s.words for s in strokes], "ink": [s.ink for s in strokes]}
        layer.selected_data = set()
        layer.editable = False

    def _in_order(self) -> list[Line]:
        """The chosen one last, so that it is drawn over the others."""
        return sorted(self._lines, key=lambda line: line.chosen)


@dataclass(frozen=True, eq=False)
class _Stroke:
    points: np.ndarray
    colour: str
    mm: float
    words: str = ""
    ink: str = _CHOSEN


def _strokes(line: Line) -> list[_Stroke]:
    """A line as it is drawn: on a casing."""
    mm = _THICK_MM if line.chosen else _THIN_MM
    casing, colour = (_CASING_OF_CHOSEN, _CHOSEN) if line.chosen else (_CASING, line.colour)
    return [_Stroke(line.points, casing, mm + 2 * _RIM_MM), _Stroke(line.points, colour, mm)]


def _texts(words: str, points: np.ndarray, halo: np.ndarray) -> list[_Stroke]:
    """Words above all of `points`, in a halo: `halo: (n, 3)` steps of the index away."""
    box = np.stack([points.min(0), points.max(0)])
    dark = [_Stroke(box + away, _HIDDEN, _THIN_MM, words, _CASING_OF_CHOSEN) for away in halo]
    return [*dark, _Stroke(box, _HIDDEN, _THIN_MM, words)]


def flattened(line: Line, hidden: Sequence[int], shape: tuple[int, ...]) -> np.ndarray:
    """(n, 3) points of a line, moved into the slice through its place along the axes not displayed.

    napari shows a shape only where all of it is in the slice; oblique scans and cross-sections are not.
    """
    flat = np.array(line.points, float)
    for axis in hidden:
        if axis < flat.shape[1]:
            flat[:, axis] = np.clip(np.round(line.place[axis]), 0, shape[axis] - 1)
    return flat


def _empty(labels: Labels) -> Shapes:
    layer = Shapes(
        ndim=3,
        name=_NAME,
        opacity=1.0,
        features={"words": np.array([], object), "ink": np.array([], object)},
        feature_defaults={"words": "", "ink": _CHOSEN},
        text={"string": "{words}", "color": {"feature": "ink"}, "size": 11, "anchor": "upper_right"},
        metadata={KEY: {"kind": "measures"}},
        **placement_of(labels),
    )
    layer.editable = False
    return layer


def _same_place(layer: Shapes, labels: Labels) -> bool:
    return all(np.array_equal(getattr(layer, name), getattr(labels, name)) for name in ("scale", "translate"))
