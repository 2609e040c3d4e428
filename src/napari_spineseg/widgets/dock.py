"""The one SpineSeg dock: the steps of the work as pages of one panel that share the chosen scan."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_spineseg.widgets.dock_part import DockPart
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import TightButton
from napari_spineseg.widgets.session import session_of
from napari_spineseg.widgets.style import give_role, sheet

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_spineseg.widgets.page import Page

PAGES: tuple[tuple[str, str], ...] = (
    ("Prepare", "napari_spineseg.widgets.prepare.page:PreprocessPage"),
    ("Segment", "napari_spineseg.widgets.segment.page:SegmentPage"),
    ("Correct", "napari_spineseg.widgets.correct.page:CorrectPage"),
    ("Learn", "napari_spineseg.widgets.learn.page:LearnPage"),
    ("Measure", "napari_spineseg.widgets.measure.page:MeasurePage"),
)
"""The steps in order: what each is called, and the page behind it. A new page is one line here."""

OPENS_WITH = "Segment"
"""The step that a new panel shows: scans need no preparing, unless something is the matter with them."""

_WIDTH = 340
_BESIDE = 1  # pixels on either side of a step's word


class SpineSegDock(DockPart):
    """A step bar over the pages. A page is made when it is first shown, so that opening is quick."""

    def __init__(
        self,
        napari_viewer: Viewer,
        parent: QWidget | None = None,
        pages: tuple[tuple[str, str], ...] = PAGES,
    ) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._places = dict(pages)
        self._pages: dict[str, Page] = {}
        self._stack = QStackedWidget()
        self.steps = self._step_bar([title for title, _ in pages])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addWidget(self._stack)
        session = session_of(napari_viewer)
        while_alive(self, session.theme_changed, self._restyle)
        self._restyle(napari_viewer.theme)
        self.show_page(OPENS_WITH if OPENS_WITH in self._places else pages[0][0])

    def show_page(self, title: str) -> Page:
        """Go to a step, by its name."""
        if title not in self._pages:
            module, _, name = self._places[title].partition(":")
            self._pages[title] = getattr(import_module(module), name)(self._viewer)
            self._stack.addWidget(self._pages[title])
        self._stack.setCurrentWidget(self._pages[title])
        self.steps[title].setChecked(True)
        return self._pages[title]

    def sizeHint(self) -> QSize:
        """Wide enough to read comfortably; it works down to 280."""
        return QSize(_WIDTH, super().sizeHint().height())

    def _step_bar(self, titles: list[str]) -> dict[str, QToolButton]:
        self._bar = QWidget()
        layout = QHBoxLayout(self._bar)
        layout.setContentsMargins(2, 4, 2, 0)
        layout.setSpacing(0)
        group = QButtonGroup(self)
        steps = {}
        for number, title in enumerate(titles, start=1):
            step = TightButton(f"{number} {title}" if len(titles) < 5 else title, _BESIDE)
            step.setAccessibleName(f"Step {number}: {title}")
            step.setCheckable(True)
            step.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            step.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            give_role(step, "step")
            step.clicked.connect(lambda _=False, title=title: self.show_page(title))
            group.addButton(step)
            layout.addWidget(step)
            steps[title] = step
        # A bar with one step would be a heading that says what the button below says again.
        if len(titles) == 1:
            self._bar.hide()
        return steps

    def _restyle(self, theme: str) -> None:
        self.setStyleSheet(sheet(theme))
