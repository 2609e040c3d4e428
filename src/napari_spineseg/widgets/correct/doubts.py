"""Where to look next: the doubtful places of the segmentation, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QGridLayout, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.corrections.doubt import Doubt, find_doubts
from napari_spineseg.widgets.correct.ask import AskModel
from napari_spineseg.widgets.correct.keys import key_of
from napari_spineseg.widgets.correct.marker import PlaceMarker
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import go_to
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.progress import Control


class DoubtPanel(QWidget):
    """Says what is doubtful about a place, goes to the next one, and forgets what is fine."""

    went = Signal(object)
    """The view moved to a `Doubt`."""
    told = Signal(str)
    """Which one of how many is shown and why, or that there is none: the list may be out of sight."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        self._job: Job | None = None
        self._once_more = False
        self._wished = 0  # the step that was asked for before the list was there
        self._fine: list[Doubt] = []
        self.doubts: list[Doubt] = []
        self._at = -1
        self.asking = AskModel(session)
        self.marker = PlaceMarker(session, self)
        self.count = Words("", "muted")
        # Nothing found by the rules is no promise; why nobody could be asked for more stands below.
        self.why = Words("", "muted")
        self.reason = Words("")
        self.previous = self._button("previous", "Previous", lambda: self.step(-1))
        self.next = self._button("next", "Next", lambda: self.step(1))
        self.fine = self._button("fine", "Looks fine", self.looks_fine)
        self.again = QPushButton("Check again")
        self.again.setObjectName("check_again")
        self.again.clicked.connect(self.check_again)
        self.asking.answered.connect(self._on_answered)
        while_alive(self, session.layers_changed, self._ask)  # the scan may be there now
        self._lay_out()
        self._say()

    @property
    def current(self) -> Doubt | None:
        """The place that is shown."""
        return self.doubts[self._at] if 0 <= self._at < len(self.doubts) else None

    def show_layer(self, layer: Labels | None) -> None:
        """Look for the doubtful places of `layer`."""
        self._layer, self.doubts, self._at, self._fine = layer, [], -1, []
        self._wished = 0
        if layer is None:
            self.asking.stop()
        self.check()
        self._ask()

    def showEvent(self, event: QShowEvent) -> None:
        """Only while somebody looks is the model asked where it guessed."""
        super().showEvent(event)
        self._ask()

    def hideEvent(self, event: QHideEvent) -> None:
        """The ring belongs to the list: on another page it would be in the way."""
        super().hideEvent(event)
        self.marker.clear()

    def check_again(self) -> None:
        """List the places anew; ask the model again if that was stopped or did not work."""
        self.check()
        self._ask(again=True)

    def check(self) -> None:
        """List the places anew, beside the window. Those found fine stay away."""
        layer = self._layer
        # What is being looked for may be of another layer, or not know yet where the model guessed.
        self._once_more = self._job is not None
        if layer is None or self._job is not None:
            self._say()
            return
        spacing = tuple(float(v) for v in layer.scale)
        scheme, numbering = scheme_of(layer)
        seen = self.asking.seen(layer)

        def find(control: Control) -> list[Doubt]:
            # The same millisecond's voxels for every rule.
            labels = layer.data.copy()
            control.check()
            return find_doubts(labels, spacing, seen, numbering, scheme)

        job = self._job = Job(find, owner=self)
        job.returned.connect(lambda found: self._on_found(found, layer))
        job.failed.connect(report)
        job.ended.connect(self._on_ended)
        job.start()
        self._say()

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) place; beyond the last one it starts again."""
        if not self.doubts or self._layer is None:
            self._wished = direction if self._job is not None else 0
            self.told.emit(self.count.words)
            return
        start = -1 if self._at < 0 and direction > 0 else max(self._at, 0)
        self._at = (start + direction) % len(self.doubts)
        self._go()

    def looks_fine(self) -> None:
        """Clear the place that is shown, and go to the one after it."""
        doubt = self.current
        if doubt is None:
            return
        self._fine.append(doubt)
        del self.doubts[self._at]
        if self.doubts:
            self._at %= len(self.doubts)
            self._go()
        else:
            self._at = -1
            self._say()
            self.told.emit(self.count.words)

    def _go(self) -> None:
        doubt = self.current
        viewer, layer = self._session.viewer, self._layer
        if layer in layers_of(viewer):
            go_to(viewer, layer.data_to_world(doubt.point))
            self.marker.show_at(layer, doubt.point)
        if doubt.label:
            layer.selected_label = doubt.label
        self._say()
        self.told.emit(f"{self.count.words}: {self.reason.words}.")
        self.went.emit(doubt)

    def _ask(self, again: bool = False) -> None:
        if self._layer is not None and self.isVisible():
            self.asking.ask(self._layer, again)
            self._say()

    def _on_answered(self, layer: Labels) -> None:
        if layer is self._layer:
            self.check()

    def _on_found(self, found: list[Doubt], layer: Labels) -> None:
        if layer is not self._layer:
            return
        spacing = tuple(float(v) for v in layer.scale)
        current = self.current
        self.doubts = [d for d in found if not any(d.same_as(fine, spacing) for fine in self._fine)]
        # Who stands at a place stays there, wherever it is on the new list.
        same = (n for n, d in enumerate(self.doubts) if current is not None and d.same_as(current, spacing))
        self._at = next(same, -1)

    def _on_ended(self) -> None:
        self._job = None
        if self._once_more:
            self.check()
        self._say()
        if self._wished and self._job is None:
            wished, self._wished = self._wished, 0
            self.step(wished)

    def _say(self) -> None:
        total, doubt = len(self.doubts), self.current
        if self._job is not None:
            words = "Looking for doubtful places …"
        elif not total and self._layer is not None and not np.any(self._layer.data):
            words = "Nothing is labelled yet: choose a structure below and paint it."
        elif not total and self.asking.busy:
            words = "The rules of anatomy find nothing; now the model is asked."
        elif not total:
            words = "No doubtful place is left." if self._fine else "No doubtful place was found."
        elif doubt is None:
            words = f"{total} place{'s' if total > 1 else ''} to look at"
        else:
            words = f"{self._at + 1} of {total}"
        self.count.say(words)
        self.why.say(self.asking.why_not(self._layer) if self._layer is not None else "")
        self.reason.say(doubt.words[:1].upper() + doubt.words[1:] if doubt is not None else "")
        if doubt is None:
            self.marker.clear()
        for button, there in ((self.previous, total), (self.next, total), (self.fine, doubt is not None)):
            button.setEnabled(bool(there))
        self.again.setEnabled(self._layer is not None and self._job is None)

    def _button(self, action: str, text: str, slot: object) -> QPushButton:
        key = key_of(action)
        button = QPushButton(text)
        button.setObjectName(action)
        button.setToolTip(tooltip(f"{key.words} ({key.text})"))
        button.clicked.connect(slot)
        return button

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(4)
        grid.addWidget(self.previous, 0, 0)
        grid.addWidget(self.next, 0, 1)
        grid.addWidget(self.fine, 1, 0)
        grid.addWidget(self.again, 1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.count)
        layout.addWidget(self.reason)
        layout.addWidget(self.asking)
        layout.addWidget(self.why)
        layout.addLayout(grid)
