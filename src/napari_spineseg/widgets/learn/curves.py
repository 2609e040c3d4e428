"""Live curves: the loss, and Dice by structure on what is held back, with the guard beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.learning.run.events import FiguresEvent
from napari_spineseg.widgets.parts import Words

_HEIGHT = 130
_LOSS = "loss"
_GUARD = "guard (mean)"


class LearnCurves(QWidget):
    """Two small plots that grow with every figure of a run.

    Each turn of the event loop draws one curve: five at once, the first of them with all that pyqtgraph
    sets up, keep a window from answering for 50 ms beside a training.
    """

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: dict[str, list[tuple[int, float]]] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._behind: list[str] = []
        self._turn = QTimer(self, singleShot=True)
        self._turn.timeout.connect(self._draw_one)
        self.loss = _plot("Loss")
        self.dice = _plot("Dice")
        self.legend = Words("", "muted")
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.loss, self.dice, self.legend):
            layout.addWidget(part)
        self.restyle(theme)
        self.clear()

    def clear(self) -> None:
        """Start anew, unseen until there is a figure."""
        self._points.clear()
        self._lines.clear()
        self._behind.clear()
        for plot in (self.loss, self.dice):
            plot.clear()
        self.legend.setText("")
        self.hide()

    def add(self, figures: FiguresEvent) -> None:
        """A point of every curve."""
        for name, value in _values(figures):
            self._points.setdefault(name, []).append((figures.step, value))
            if name not in self._behind:
                self._behind.append(name)
        self.legend.setText(" &nbsp; ".join(_key(name) for name in self._points if name != _LOSS))
        self.legend.show()
        self.show()
        self._turn.start()

    def points(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a curve: "loss", a structure's title, or "guard (mean)"."""
        return list(self._points.get(name, ()))

    def restyle(self, theme: str) -> None:
        """The colours of napari's theme."""
        colours = get_theme(theme)
        text = colours.text.as_hex(format="long")
        for plot in (self.loss, self.dice):
            plot.setBackground(colours.background.as_hex(format="long"))
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(text)
                plot.getAxis(side).setTextPen(text)
            plot.setTitle(plot.words, color=text, size="9pt")
        self._ink = text
        for name, line in self._lines.items():
            self._paint(name, line)

    def _draw_one(self) -> None:
        """Draw the curve that has waited longest."""
        if not self._behind:
            return
        name = self._behind.pop(0)
        if name not in self._lines:
            plot = self.loss if name == _LOSS else self.dice
            self._lines[name] = plot.plot(symbol="o", symbolSize=4)
            self._paint(name, self._lines[name])
        self._lines[name].setData(*zip(*self._points[name], strict=True))
        self._turn.start()

    def _paint(self, name: str, line: pg.PlotDataItem) -> None:
        """A structure in its colour, anything else in the theme's ink."""
        dashed = Qt.PenStyle.DashLine if name == _GUARD else Qt.PenStyle.SolidLine
        pen = pg.mkPen(_colour(name) or self._ink, width=2, style=dashed)
        line.setPen(pen)
        line.setSymbolPen(pen.color())
        line.setSymbolBrush(pen.color())


def _values(figures: FiguresEvent) -> Iterator[tuple[str, float]]:
    """Curves that get a point, and its value."""
    if figures.loss is not None:
        yield _LOSS, figures.loss
    for title, value in figures.held_back.items():
        if value is not None and title != "mean":
            yield title, value
    if (mean := figures.guard.get("mean")) is not None:
        yield _GUARD, mean


def _plot(title: str) -> pg.PlotWidget:
    plot = pg.PlotWidget()
    plot.words = title
    plot.setAccessibleName(title)
    plot.setFixedHeight(_HEIGHT)
    plot.setMouseEnabled(False, False)
    plot.hideButtons()
    plot.setMenuEnabled(False)
    plot.setLimits(xMin=0)
    plot.getAxis("left").setWidth(38)
    return plot


def _colour(name: str) -> str | None:
    """The colour of a structure by its title; None for what is none."""
    found = next((s for s in Structure if s and s.title == name), None)
    return colour_of(int(found), "structures") if found is not None else None


def _key(name: str) -> str:
    sign = "╌" if name == _GUARD else "━"
    colour = _colour(name)
    mark = f'<span style="color:{colour}">{sign}</span>' if colour else sign
    # A line breaks between curves, not between a mark and its name.
    return f"{mark}&nbsp;{name.replace(' ', '&nbsp;')}"
