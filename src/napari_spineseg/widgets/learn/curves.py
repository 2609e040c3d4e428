"""Live curves: the loss, and Dice by structure on what is held back, with the guard beside it."""

from __future__ import annotations

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.learning.run.events import FiguresEvent
from napari_spineseg.widgets.parts import Words

_HEIGHT = 130
_GUARD = "guard (mean)"


class LearnCurves(QWidget):
    """Two small plots that grow with every figure of a run."""

    def __init__(self, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: dict[str, list[tuple[int, float]]] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
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
        for plot in (self.loss, self.dice):
            plot.clear()
        self.legend.setText("")
        self.hide()

    def add(self, figures: FiguresEvent) -> None:
        """A point of every curve."""
        if figures.loss is not None:
            self._add(self.loss, "loss", figures.step, figures.loss)
        for title, value in figures.held_back.items():
            if value is not None and title != "mean":
                self._add(self.dice, title, figures.step, value)
        if (mean := figures.guard.get("mean")) is not None:
            self._add(self.dice, _GUARD, figures.step, mean)
        self.legend.setText(" &nbsp; ".join(_key(name) for name in self._lines if name != "loss"))
        self.legend.show()
        self.show()

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
            self._draw(name, line)

    def _add(self, plot: pg.PlotWidget, name: str, step: int, value: float) -> None:
        points = self._points.setdefault(name, [])
        points.append((step, value))
        if name not in self._lines:
            self._lines[name] = plot.plot(symbol="o", symbolSize=4)
            self._draw(name, self._lines[name])
        steps, values = zip(*points, strict=True)
        self._lines[name].setData(steps, values)

    def _draw(self, name: str, line: pg.PlotDataItem) -> None:
        """A structure in its colour, anything else in the theme's ink."""
        dashed = Qt.PenStyle.DashLine if name == _GUARD else Qt.PenStyle.SolidLine
        pen = pg.mkPen(_colour(name) or self._ink, width=2, style=dashed)
        line.setPen(pen)
        line.setSymbolPen(pen.color())
        line.setSymbolBrush(pen.color())


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
