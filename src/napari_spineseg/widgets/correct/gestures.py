"""What the clicks in the picture mean: split, merge, click to fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from napari_spineseg.anatomy import Structure, names_of, structure_of
from napari_spineseg.corrections import tools
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.widgets.correct.clicks import ClickTool, Gesture, Point
from napari_spineseg.widgets.correct.fix import ClickToFix, in_words
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.session import Session

if TYPE_CHECKING:
    from napari_spineseg.widgets.correct.tools import Place

WAITING = {
    "split": "Click once in each part of the structure.",
    "split_line": "Drag a line across the structure.",
    "merge": "Click the structure that belongs to the chosen one.",
    "fix": "Click what belongs to the structure; right-click or Shift-click what does not. Drag to scribble.",
}
"""The tools that wait for clicks, and what each asks for."""
_SECOND = "Now click in the other part."


class Gestures(QObject):
    """Turns clicks and drags into edits, for the tool that waits.

    Parameters
    ----------
    place
        Where tools work now; None where nothing is corrected.
    apply
        Makes an edit one step.
    """

    asked = Signal(str)
    """What the person is to do, or what cannot be done."""
    began = Signal(str)
    ended = Signal()

    def __init__(
        self,
        session: Session,
        place: Callable[[], Place | None],
        apply: Callable[[Edit], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._place, self._apply = session, place, apply
        self._layer: Labels | None = None
        self._first: Point | None = None
        self.clicks = ClickTool(self)
        self.fix = ClickToFix(session, self)
        self.clicks.ended.connect(self._on_ended)

    @property
    def active(self) -> str | None:
        """The tool that waits."""
        return self.clicks.active

    def start(self, tool: str, layer: Labels) -> None:
        """Let `tool` wait for clicks on `layer`; the same tool again ends it."""
        if self.active == tool:
            self.stop()
            return
        self._session.viewer.layers.selection.active = layer
        self.clicks.start(tool, layer)
        self._layer, self._first = layer, None
        self.began.emit(tool)
        self.asked.emit(WAITING[tool])

    def stop(self) -> None:
        """Wait no more."""
        self.clicks.stop()

    def do(self, tool: str, gesture: Gesture) -> None:
        """A click or a drag was made for `tool`.

        Raises
        ------
        SpineSegError
            If the tool cannot do that.
        """
        at = self._place()
        if self._layer is None or at is None:
            return
        handle = {
            "split": self._split,
            "split_line": self._split_line,
            "merge": self._merge,
            "fix": self._fix,
        }
        handle[tool](at, gesture)

    def _split(self, at: Place, gesture: Gesture) -> None:
        if self._first is None:
            self._first = gesture.points[0]
            self.asked.emit(_SECOND)
            return
        first, label = self._first, label_at(at, self._first)
        self.stop()
        self._apply(tools.split_between(at.labels, label, first, gesture.points[-1], at.spacing))

    def _split_line(self, at: Place, gesture: Gesture) -> None:
        self.stop()
        ends = gesture.points[0], gesture.points[-1]
        self._apply(tools.split_at_line(at.labels, at.label, *ends, at.spacing, at.axis))

    def _merge(self, at: Place, gesture: Gesture) -> None:
        other, layer = label_at(at, gesture.points[0]), self._layer
        if not other:
            self.asked.emit("Click on a structure.")
            return
        self.stop()
        vertebrae = {structure_of(other), structure_of(at.label)} == {Structure.VERTEBRA}
        levels = scheme_of(layer)[0] == "levels" and vertebrae and abs(other - at.label) == 1
        edit = tools.merge(at.labels, at.label, other, renumber=levels)
        if len(edit):
            names = names_of([other, at.label], *scheme_of(layer))
            edit = edit.saying(
                edit.words.replace("Merged", f"Merged {names[other]} into {names[at.label]}", 1)
            )
        self._apply(edit)

    def _fix(self, at: Place, gesture: Gesture) -> None:
        if at.image is None:
            self.asked.emit("Open the scan of this segmentation first.")
            return
        under = label_at(at, gesture.points[0])
        label = under if gesture.remove and under else at.label
        if not label:
            self.asked.emit("Choose a structure first.")
            return
        edit = self.fix.edit(at, label, gesture)
        if len(edit):
            name = names_of([label], *scheme_of(self._layer))[label]
            edit = edit.saying(in_words(edit, label, name, at))
        self._apply(edit)

    def _on_ended(self) -> None:
        self._layer = self._first = None
        self.ended.emit()


def label_at(at: Place, point: Point) -> int:
    """The structure at an index; 0 outside."""
    index = tuple(round(v) for v in point)
    inside = all(0 <= v < n for v, n in zip(index, at.labels.shape, strict=True))
    return int(at.labels[index]) if inside else 0


def is_request(words: str) -> bool:
    """Whether a sentence asks for clicks, and means nothing once the tool has ended."""
    return words in WAITING.values() or words == _SECOND
