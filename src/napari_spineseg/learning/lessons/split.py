"""What is learnt from and what is held back to judge by, said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.learning.reading import evenly

# From so many new patients on, whole patients are held back.
FEWEST_PATIENTS = 4
_SHARE = 0.25
_MOST_PATIENTS = 6
# Slices that are judged on, in all: more would make the gate slow and hardly surer.
_JUDGED = 24


@dataclass(frozen=True)
class Split:
    """Slices by volume name.

    Attributes
    ----------
    learn, held_back
        Disjoint; a scan may be in both, with other slices.
    sentence
        How it was done, and what that can show.
    honest
        Whether anything was held back at all.
    """

    learn: dict[str, list[int]]
    held_back: dict[str, list[int]]
    sentence: str
    honest: bool = True

    def role(self, name: str) -> str:
        """ "learn", "held back" or "both"."""
        if name in self.learn and name in self.held_back:
            return "both"
        return "learn" if name in self.learn else "held back"


def split_lessons(lessons: Sequence[Lesson], known: Sequence[Lesson] = (), seed: int = 0) -> Split:
    """Hold back whole patients where there are enough, else blocks of slices of each scan.

    Parameters
    ----------
    lessons
        Corrections that the parent has not learnt from: only these can tell whether anything got better.
    known
        Those it has learnt from; all of them are learnt from again.
    """
    rng = np.random.default_rng(seed)
    patients = sorted({lesson.patient for lesson in lessons})
    if len(patients) >= FEWEST_PATIENTS:
        split = _by_patients(lessons, patients, rng)
    else:
        split = _by_slices(lessons, rng)
    for lesson in known:
        split.learn[lesson.volume.name] = _worth_learning(lesson)
    return split


def _by_patients(lessons: Sequence[Lesson], patients: list[str], rng: np.random.Generator) -> Split:
    count = int(np.clip(round(_SHARE * len(patients)), 1, _MOST_PATIENTS))
    away = {patients[i] for i in rng.permutation(len(patients))[:count]}
    held = [lesson for lesson in lessons if lesson.patient in away]
    each = max(3, _JUDGED // len(held))
    names = ", ".join(sorted(lesson.name for lesson in held))
    return Split(
        {lesson.volume.name: _worth_learning(lesson) for lesson in lessons if lesson.patient not in away},
        {lesson.volume.name: evenly(lesson.labelled_slices, each) for lesson in held},
        f"Held back to judge by: {names} (of {len(patients)} patients, none of whose scans is learnt from).",
    )


def _by_slices(lessons: Sequence[Lesson], rng: np.random.Generator) -> Split:
    learn, held = {}, {}
    each = max(2, _JUDGED // max(1, len(lessons)))
    for lesson in lessons:
        away = _blocks(lesson.labelled_slices, rng)
        rest = [i for i in _worth_learning(lesson) if i not in away]
        learn[lesson.volume.name] = rest or _worth_learning(lesson)
        held[lesson.volume.name] = evenly(away or lesson.labelled_slices, each)
    honest = any(not set(held[name]) & set(learn[name]) for name in held)
    scans = "the scan" if len(lessons) == 1 else f"each of the {len(lessons)} scans"
    sentence = (
        f"Held back to judge by: a quarter of the slices of {scans}, in blocks. That shows whether the "
        f"corrections were learnt; from {FEWEST_PATIENTS} patients on, whole patients are held back."
        if honest
        else "There are too few labelled slices to hold any back, so the judgement is not independent."
    )
    return Split(learn, held, sentence, honest)


def _blocks(labelled: list[int], rng: np.random.Generator) -> list[int]:
    """About a quarter of the labelled slices: two blocks, or one of a small scan, or none of one slice."""
    count = len(labelled)
    if count < 2:
        return []
    blocks = 2 if count >= 8 else 1
    length = max(1, round(_SHARE * count / blocks))
    found: set[int] = set()
    for block in range(blocks):
        first = block * count // blocks
        room = (block + 1) * count // blocks - first - length
        # Neither end of the spine's width: there is little to judge by.
        start = first + int(rng.integers(room // 4, max(room // 4, room - room // 4) + 1))
        found |= set(labelled[start : start + length])
    return sorted(found)


def _worth_learning(lesson: Lesson) -> list[int]:
    """Labelled slices and one beyond at each end, where it is known that the spine has ended."""
    labelled = lesson.labelled_slices
    if not labelled:
        return []
    known = (lesson.volume.structures != 255).any((1, 2))
    beyond = [i for i in (labelled[0] - 1, labelled[-1] + 1) if 0 <= i < len(known) and known[i]]
    return sorted({*labelled, *beyond})
