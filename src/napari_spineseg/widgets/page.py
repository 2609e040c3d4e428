"""The frame that every page shares. A page fills it in; it does not draw another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget
from superqt import QCollapsible

from napari_spineseg.widgets.card import Card
from napari_spineseg.widgets.default_reader_offer import DefaultReaderOffer
from napari_spineseg.widgets.dock_part import DockPart
from napari_spineseg.widgets.empty_state import EmptyState
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words, bring_into_sight, form_layout, tooltip
from napari_spineseg.widgets.run_bar import RunBar
from napari_spineseg.widgets.samples import open_first_sample
from napari_spineseg.widgets.session import session_of
from napari_spineseg.widgets.style import arrow, sheet

if TYPE_CHECKING:
    from napari.viewer import Viewer

_MARGIN = 10
_BRIEFLY_MS = 8000
_ANY_HEIGHT = 16_777_215  # Qt's QWIDGETSIZE_MAX


class Page(DockPart):
    """One step of the work: what it works on, settings, one button, progress, result.

    A subclass names itself with `title` and `verb`, adds rows to `inputs`, widgets to `settings`
    and `advanced`, connects `run_bar.started`, and speaks through `card`. It says with
    `has_input` whether there is something to work on.

    Parameters
    ----------
    napari_viewer
        The viewer of the window that the page is in.
    """

    title: ClassVar[str] = ""
    """What the step is called in the dock."""
    verb: ClassVar[str] = "Run"
    """What the primary button says."""

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session_of(napari_viewer)
        self.inputs = form_layout()
        self.settings = QVBoxLayout()
        self.advanced = _fold("Advanced")
        self.run_bar = RunBar(self.verb)
        self.hint = Words("", "muted")
        self._hush = QTimer(self, singleShot=True, interval=_BRIEFLY_MS)
        # A method, not a lambda: Qt knows when its widget is gone, and calls it no more.
        self._hush.timeout.connect(self._say_nothing)
        self.card = Card()
        self.empty = EmptyState(self.session, lambda: open_first_sample(self.session.viewer))
        self._foot = QWidget(self)
        self._foot.hide()
        self._stack = QStackedWidget()
        self._stack.addWidget(scrolling(self.empty))
        self._stack.addWidget(scrolling(self._frame()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.offer = DefaultReaderOffer()
        layout.addWidget(self.offer)
        layout.addWidget(self._stack)
        self._add_shortcut()
        while_alive(self, self.session.theme_changed, self._restyle)
        while_alive(self, self.session.layers_changed, self.refresh)
        self._restyle(self.session.viewer.theme)

    def has_input(self) -> bool:
        """Whether there is something to work on; until then the page says how to get it."""
        return self.session.scan is not None

    def refresh(self) -> None:
        """Show the frame, or what to do while there is nothing to work on."""
        self._stack.setCurrentIndex(int(self.has_input()))
        self._foot.setVisible(self._foot.layout() is not None and self.has_input())

    def keep_in_sight(self, *above: QWidget) -> None:
        """Put the primary button and what is said below the part that scrolls, for a page that is long."""
        layout = QVBoxLayout(self._foot)
        layout.setContentsMargins(_MARGIN, 6, _MARGIN, 8)
        layout.setSpacing(6)
        for part in (*above, self.run_bar, self.hint):
            layout.addWidget(part)
        self.layout().addWidget(self._foot)

    def say_briefly(self, words: str) -> None:
        """Say something below the button that is of no use a little later."""
        self.hint.say(words)
        self._hush.start()

    def _say_nothing(self) -> None:
        self.hint.say("")

    def _frame(self) -> QWidget:
        frame = QWidget()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(self.inputs)
        layout.addLayout(self.settings)
        layout.addWidget(self.advanced)
        layout.addWidget(self.run_bar)
        layout.addWidget(self.hint)
        layout.addWidget(self.card)
        return frame

    def _add_shortcut(self) -> None:
        """Ctrl+Enter presses the primary button from anywhere on the page."""
        keys = QKeySequence("Ctrl+Return")
        shortcut = QShortcut(keys, self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.run_bar.button.click)
        words = keys.toString(QKeySequence.SequenceFormat.NativeText)
        self.run_bar.button.setToolTip(tooltip(f"{self.verb} ({words})"))

    def _restyle(self, theme: str) -> None:
        self.setStyleSheet(sheet(theme))
        self.advanced.setCollapsedIcon(arrow(theme, down=False))
        self.advanced.setExpandedIcon(arrow(theme, down=True))


class _Fold(QCollapsible):
    """Its content is as high as its width asks for; rows that wrap do not count in the hint Qt goes by."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        # When Qt has laid out what unfolded: only then is its place known.
        self._seen = QTimer(self, singleShot=True, interval=0)
        self._seen.timeout.connect(self._show_whole)

    def show_soon(self, on: bool) -> None:
        """Scroll the page to what unfolds: below the edge nobody would know of it."""
        if on:
            self._seen.start()

    def _show_whole(self) -> None:
        bring_into_sight(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Leave the height of what is unfolded alone."""
        return False


def _fold(title: str) -> QCollapsible:
    fold = _Fold(title)
    fold.toggleButton().setObjectName("fold")
    # Both would hold it to its hint, too.
    fold.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
    fold.layout().setAlignment(Qt.AlignmentFlag(0))
    fold.setDuration(0)
    fold.content().layout().setContentsMargins(8, 4, 0, 0)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    # Folded means of no height; hidden as well, so that the Tab key does not wander through it.
    fold.content().hide()
    fold.toggled.connect(fold.content().setVisible)
    fold.toggled.connect(lambda on: fold.content().setMaximumHeight(_ANY_HEIGHT if on else 0))
    fold.toggled.connect(fold.show_soon)
    return fold


class _Holder(QWidget):
    """What scrolls. Its height is what its width asks for."""

    def minimumSizeHint(self) -> QSize:
        """No least height: wrapped texts claim that of their narrowest form, which nobody sees."""
        return QSize(super().minimumSizeHint().width(), 0)


class _Area(QScrollArea):
    """Scrolls downward only, so that it is never narrower than what it holds: large texts need more room."""

    def minimumSizeHint(self) -> QSize:
        """The width of the content and of the bar beside it."""
        bar = self.verticalScrollBar().sizeHint().width()
        within = self.widget().minimumSizeHint().width() if self.widget() is not None else 0
        return QSize(within + bar, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The content was laid out anew: it may be wider than it was."""
        done = super().eventFilter(watched, event)
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return done


def scrolling(content: QWidget) -> QScrollArea:
    """`content` in an area that scrolls downward only: what is too wide has to wrap instead."""
    holder = _Holder()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
    layout.addWidget(content)
    # Not aligned to the top: Qt would give it the height of its hint, also where wrapped texts ask for more.
    layout.addStretch()
    area = _Area()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(holder)
    return area
