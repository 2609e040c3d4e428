"""The last stage of a run: the candidate is compared with its parent, and becomes a version."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.learning.blend import as_far_as_allowed
from napari_spineseg.learning.run.events import Change, NoteEvent, VerdictEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.orders import Say
from napari_spineseg.learning.run.timetable import Timetable
from napari_spineseg.learning.stages.best import Best
from napari_spineseg.learning.stages.preparing import Course
from napari_spineseg.learning.verdict.gate import judge
from napari_spineseg.learning.verdict.register import (
    candidate_card,
    data_record,
    figures_record,
    register,
    training_record,
)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A network that may become a version.

    Attributes
    ----------
    share
        How far it goes from its parent towards what was trained.
    steps
        How many steps that was trained.
    guard
        What became of the scores on the guard set.
    """

    network: nn.Module
    share: float
    steps: int
    guard: dict[str, Change]


def judge_candidate(
    course: Course, best: Best, folder: RunFolder, clock: Timetable, say: Say
) -> VerdictEvent:
    """Hold the best weights against the parent, register them with what that showed, and say so."""
    parent, settings = course.parent, course.settings
    candidate = _candidate(course, best, say)
    held_back = course.exam.held_back(parent.reader_of(candidate.network))
    judgement = judge(held_back, candidate.guard, course.book.split.honest)
    reason = course.with_style(judgement.reason)
    for preview in course.exam.previews(folder.path):
        say(preview)
    seconds = clock.seconds()
    figures = figures_record(held_back, candidate.guard, judgement.promoted, reason)
    card = _card(course, candidate, folder.id, seconds).model_copy(update={"figures": figures})
    weights = folder.path / "candidate.safetensors"
    save_model(candidate.network, card, weights)
    promote = judgement.promoted and settings.promote
    entry, in_use = register(course.name, weights, folder.id, parent.entry, promote)
    verdict = VerdictEvent(
        promoted=judgement.promoted,
        in_use=in_use,
        key=entry.key,
        parent=parent.entry.key,
        reason=reason,
        held_back=held_back,
        guard=candidate.guard,
        steps=candidate.steps,
        seconds=round(seconds, 1),
    )
    say(verdict)
    return verdict


def _candidate(course: Course, best: Best, say: Say) -> _Candidate:
    """The best network, taken back towards its parent where it forgot."""
    parent, trained = course.parent, best.load().network
    network, share, guard = as_far_as_allowed(
        parent.network, trained, lambda network: course.exam.guard(parent.reader_of(network))
    )
    if share < 1:
        say(
            NoteEvent(
                sentence=f"It had lost too much on the guard scans, and goes {share:.0%} of the way from "
                "its parent now."
            )
        )
    return _Candidate(network, share, best.step, guard)


def _card(course: Course, candidate: _Candidate, run: str, seconds: float) -> ModelCard:
    """The candidate's card, still without figures."""
    parent, book = course.parent, course.book
    training = training_record(
        run, course.settings, candidate.steps, seconds, parent.device.type, parent.precision
    ) | {"share": candidate.share}
    if course.style is not None:
        training["style"] = course.style.record()
    data = data_record(parent.entry.key, book.lessons, book.roles())
    return candidate_card(parent.card, parent.entry.key, course.name, training, data)
