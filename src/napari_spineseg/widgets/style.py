"""How SpineSeg's widgets look: one style sheet made from napari's theme, and colour swatches."""

from __future__ import annotations

from typing import Literal

from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtCore import QCoreApplication, QEvent, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF
from qtpy.QtWidgets import QWidget

Role = Literal["primary", "title", "muted", "warning", "error", "card", "chip", "heading", "step", "plain"]

_BORDER = "#9aa0aa"
_WARNING = "#ffb000"
_ARROW = 64  # pixels; drawn large, so that it stays sharp on dense screens

_SHEET = """
[role="primary"] {{ background: {accent}; color: {on_accent}; font-weight: 600; padding: 6px 12px; }}
[role="primary"]:hover {{ background: {accent_hover}; }}
[role="primary"]:disabled {{ background: {primary}; color: {faint}; border: 0px; }}
QToolButton, QTableView, QLineEdit, QAbstractSpinBox {{ font-size: {size}pt; }}
[role="title"] {{ font-size: {large}pt; font-weight: 600; }}
QToolButton[role="heading"] {{ background: transparent; color: {muted}; border: 1px solid transparent;
  border-radius: 3px; padding: 2px 4px; }}
QToolButton[role="heading"]:hover {{ background: {primary}; color: {text}; }}
[role="muted"] {{ color: {muted}; }}
QFrame[role="card"] {{ background: {foreground}; border-radius: 4px; }}
QFrame[role="card"] QLabel, QFrame[role="card"] QWidget[role="plain"] {{ background: transparent; }}
QLabel[role="warning"], QFrame[role="card"] QLabel[role="warning"] {{
  border-left: 3px solid {warning}; padding-left: 7px; background: transparent; }}
QLabel[role="error"], QFrame[role="card"] QLabel[role="error"] {{
  border-left: 3px solid {error}; padding-left: 7px; background: transparent; }}
QToolButton[role="chip"] {{ background: transparent; color: {text}; border: 1px solid transparent;
  border-radius: 3px; padding: 2px 4px; text-align: left; }}
QToolButton[role="chip"]:hover {{ background: {primary}; }}
QToolButton[role="chip"]:checked {{ background: {primary}; border: 1px solid {accent}; }}
QToolButton[role="step"] {{ background: transparent; color: {muted}; border: 0px;
  border-bottom: 2px solid {foreground}; border-radius: 0px; padding: 5px 1px; }}
QToolButton[role="step"]:hover {{ color: {text}; }}
QToolButton[role="step"]:checked {{ color: {text}; font-weight: 600; border-bottom: 2px solid {accent}; }}
QPushButton#fold {{ background: transparent; color: {muted}; padding: 4px 0px; }}
QPushButton#fold:hover {{ color: {text}; }}
QPushButton {{ padding: 5px 8px; }}
QProgressBar {{ background: {foreground}; border: 0px; border-radius: 2px; color: {text}; min-height: 26px; }}
QProgressBar::chunk {{ background: {accent}; border-radius: 2px; }}
QPushButton:focus, QToolButton:focus, QComboBox:focus, QLineEdit:focus, QCheckBox:focus {{
  border: 1px solid {accent}; }}
"""


def sheet(theme: str) -> str:
    """The style sheet of a page under napari's theme of that name, with texts as large as napari's."""
    colours = get_theme(theme)
    dark = colours.type == "dark"
    text, accent = _colour(colours.text), _colour(colours.current)
    size = int(get_settings().appearance.font_size)
    return _SHEET.format(
        accent=accent.name(),
        on_accent=("#ffffff" if accent.lightness() < 150 else text.name()),
        accent_hover=accent.lighter(118).name() if dark else accent.darker(108).name(),
        text=text.name(),
        muted=_mix(text, _colour(colours.background), 0.72).name(),
        faint=_mix(text, _colour(colours.background), 0.45).name(),
        foreground=_colour(colours.foreground).name(),
        primary=_colour(colours.primary).name(),
        warning=_colour(colours.warning).name(),
        error="#e5484d",
        size=size,
        large=size + 3,
    )


def give_role(widget: QWidget, role: Role) -> None:
    """Mark `widget` so that `sheet` styles it."""
    widget.setProperty("role", role)
    # Qt looks a property up once, when it polishes the widget; a later change has to be asked for.
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    # Only this tells a label how much room the new role leaves beside its text.
    QCoreApplication.sendEvent(widget, QEvent(QEvent.Type.StyleChange))


def eye(theme: str, open_: bool) -> QIcon:
    """napari's own sign for shown and hidden."""
    return QIcon(f"theme_{theme}:/visibility{'' if open_ else '_off'}.svg")


def arrow(theme: str, down: bool) -> QIcon:
    """The small triangle of something that unfolds."""
    pixmap = QPixmap(_ARROW, _ARROW)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_colour(get_theme(theme).icon))
    points = [(0.2, 0.3), (0.8, 0.3), (0.5, 0.75)] if down else [(0.3, 0.2), (0.75, 0.5), (0.3, 0.8)]
    painter.drawPolygon(QPolygonF([QPointF(x * _ARROW, y * _ARROW) for x, y in points]))
    painter.end()
    return QIcon(pixmap)


def swatch(colour: str, size: int, hollow: bool = False) -> QIcon:
    """A rounded square of `colour`; hollow for something that is hidden."""
    pixmap = QPixmap(size * 4, size * 4)  # drawn large, so that it stays sharp on dense screens
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = painter.pen()
    # A border of its own, for dark colours on a dark panel and pale ones on a light panel.
    pen.setColor(QColor(colour if hollow else _BORDER))
    pen.setWidthF(size * (0.4 if hollow else 0.3))
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush if hollow else QColor(colour))
    margin = size * 0.4
    side = size * 4 - 2 * margin
    painter.drawRoundedRect(QRectF(margin, margin, side, side), size * 0.6, size * 0.6)
    painter.end()
    return QIcon(pixmap)


def warning_sign(size: int) -> QIcon:
    """A triangle with a bar in it: something that is there, and should be looked at."""
    side = size * 4
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(_WARNING))
    painter.drawPolygon(
        QPolygonF([QPointF(x * side, y * side) for x, y in ((0.5, 0.05), (1, 0.95), (0, 0.95))])
    )
    painter.setBrush(QColor("#000000"))
    painter.drawRect(QRectF(side * 0.45, side * 0.38, side * 0.1, side * 0.3))
    painter.drawRect(QRectF(side * 0.45, side * 0.75, side * 0.1, side * 0.1))
    painter.end()
    return QIcon(pixmap)


def _colour(value: object) -> QColor:
    return QColor(value.as_hex(format="long"))


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    """`share` of the first colour, the rest of the second."""
    parts = zip(first.getRgb()[:3], second.getRgb()[:3], strict=True)
    return QColor(*(round(share * a + (1 - share) * b) for a, b in parts))
