"""The first stage of a run: the corrections are read, and what to train and judge by is made of them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_spineseg.learning.lessons.style_search import FoundStyle, StyleSearch
from napari_spineseg.learning.lessons.workbook import Workbook, open_workbook
from napari_spineseg.learning.reading import class_table, class_titles
from napari_spineseg.learning.run.events import PlanEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.timetable import steps_for
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.learning.stages.parent import Parent, learnt_before, load_parent
from napari_spineseg.learning.tumour.replay import looks_for_tumours_alone, tumour_guard
from napari_spineseg.learning.verdict.exam import Answers, Exam, ask_held_back
from napari_spineseg.learning.verdict.guard import GuardScan, guard_scans
from napari_spineseg.progress import Control


@dataclass(frozen=True, eq=False)
class Course:
    """All that training and judging go by.

    Attributes
    ----------
    style
        The corrections' style, if they have one of their own.
    exam
        What the parent was asked, and every candidate will be.
    """

    settings: LearnSettings
    parent: Parent
    book: Workbook
    style: FoundStyle | None
    exam: Exam

    @property
    def name(self) -> str:
        """What the new model will be called."""
        return self.settings.name or self.parent.entry.name

    @property
    def steps(self) -> int:
        """How many steps are trained at most."""
        return self.settings.steps or steps_for(len(self.book.learnt))

    def with_style(self, sentence: str) -> str:
        """`sentence`, and what is to be said of the corrections' style."""
        return f"{sentence} {self.style.sentence}" if self.style is not None else sentence

    def plan(self) -> PlanEvent:
        """What will be done."""
        return PlanEvent(
            parent=self.parent.entry.key,
            name=self.name,
            steps=self.steps,
            precision=self.parent.precision,
            device=self.parent.device.type,
            scans=self.book.plans(),
            split=self.book.split.sentence,
            replay=self.with_style(self.book.replay_sentence()),
            figures_before=self.exam.parent_held.scores(),
            guard_before=self.exam.parent_guard.scores(),
        )


def prepare(folder: RunFolder, control: Control) -> Course:
    """Read the corrections, and see what the parent makes of them.

    Raises
    ------
    SpineSegError
        If there is nothing to learn from, or the model cannot learn.
    """
    settings, parent = folder.settings, load_parent(folder)
    seen_before, sees = learnt_before(parent.entry), parent.sees(control)
    book = open_workbook(folder.path, settings, parent.card, seen_before, sees, control)
    held = ask_held_back(book, class_titles(parent.card), parent.reader, control)
    style, guard = _style_and_guard(folder, parent, book, held, control)
    exam = Exam(book, parent.card, parent.reader, held, guard, control)
    return Course(settings, parent, book, style, exam)


def _style_and_guard(
    folder: RunFolder, parent: Parent, book: Workbook, held: Answers, control: Control
) -> tuple[FoundStyle | None, list[GuardScan]]:
    """The style that the corrections follow, if it is their own, and the guard set to judge by."""
    spec, table = parent.card.input, class_table(parent.card)
    if looks_for_tumours_alone(table):
        return None, tumour_guard(spec)
    kept = folder.path / "prepared" / "style.safetensors"
    search = StyleSearch(book, parent.card, parent.sees(control), kept)
    return search.find(held, guard_scans(spec, table))
