"""What a run works with: its lessons, those refused, and what is held back. Made once, kept for a resume."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.corrections.entry import Entry
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.errors import SpineSegError, StoreError
from napari_spineseg.io.write import put
from napari_spineseg.learning.lessons.admission import objection
from napari_spineseg.learning.lessons.belonging import objection_to_lesson
from napari_spineseg.learning.lessons.lesson import Lesson, Predict, lesson_of
from napari_spineseg.learning.lessons.split import Split, split_lessons
from napari_spineseg.learning.reading import class_table
from napari_spineseg.learning.run.events import ScanPlan
from napari_spineseg.learning.run.outlook import outlook
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.learning.tumour.replay import looks_for_tumours_alone
from napari_spineseg.progress import Control

_FILE = "lessons.json"
# New corrections are drawn this many times as often as those that the parent learnt before.
_NEW_TO_KNOWN = 2


@dataclass(frozen=True, eq=False)
class Workbook:
    """Everything that training and judging need to know of the corrections.

    Attributes
    ----------
    lessons
        All that were admitted.
    known
        Volume names of those that the parent has learnt from already.
    refused
        Those that were not admitted, and why.
    """

    lessons: list[Lesson]
    known: set[str]
    refused: list[ScanPlan]
    split: Split

    @property
    def learnt(self) -> list[Lesson]:
        """Lessons of which something is learnt from."""
        return [lesson for lesson in self.lessons if lesson.volume.name in self.split.learn]

    @property
    def held_back(self) -> list[Lesson]:
        """Lessons of which something is held back."""
        return [lesson for lesson in self.lessons if lesson.volume.name in self.split.held_back]

    def drawn(self) -> list[PreparedVolume]:
        """Volumes to draw crops from, new ones several times."""
        times = {True: 1, False: _NEW_TO_KNOWN if self.known else 1}
        return [x.volume for x in self.learnt for _ in range(times[x.volume.name in self.known])]

    def roles(self) -> dict[str, str]:
        """Role by volume name."""
        return {lesson.volume.name: self.split.role(lesson.volume.name) for lesson in self.lessons}

    def plans(self) -> list[ScanPlan]:
        """Each scan and what becomes of it."""
        roles = self.roles()
        rows = [
            ScanPlan(
                scan=x.name,
                sha256=x.sha256,
                version=x.version,
                role=roles[x.volume.name],
                changed_voxels=x.changed_voxels,
                sentence="Learnt before; shown again." if x.volume.name in self.known else "",
            )
            for x in self.lessons
        ]
        return [*rows, *self.refused]

    def replay_sentence(self) -> str:
        """What guards against forgetting."""
        own = f", and {len(self.known)} of your own earlier scans" if self.known else ""
        return f"Half of each step replays phantoms in ever new contrasts{own}."


def open_workbook(
    folder: Path,
    settings: LearnSettings,
    card: ModelCard,
    learnt_before: set[str],
    parent: Predict,
    control: Control,
) -> Workbook:
    """The workbook of a run: read from `folder/prepared` if it is there, else made from the store.

    Raises
    ------
    SpineSegError
        If there is nothing to learn from.
    """
    kept = folder / "prepared"
    if not (kept / _FILE).exists():
        _make(kept, settings, card, parent, control)
    content = json.loads((kept / _FILE).read_text(encoding="utf-8"))
    volumes = {v.name: v for v in load_prepared(kept)} if content["lessons"] else {}
    lessons = [_restored(row, volumes) for row in content["lessons"]]
    refused = [ScanPlan.model_validate(row) for row in content["refused"]]
    if not lessons:
        raise SpineSegError(_nothing_left(refused))
    known = [x for x in lessons if x.key in learnt_before]
    # Where nothing is new the parent has an advantage in what is held back, which errs on the safe side.
    known = known if len(known) < len(lessons) else []
    fresh = [x for x in lessons if x not in known]
    split = split_lessons(fresh, known, settings.seed)
    return Workbook(lessons, {x.volume.name for x in known}, refused, split)


def _make(kept: Path, settings: LearnSettings, card: ModelCard, parent: Predict, control: Control) -> None:
    entries = done_entries(settings.corrections)
    kept.mkdir(parents=True, exist_ok=True)
    table = class_table(card)
    rows, refused = [], []
    for number, entry in enumerate(entries):
        control.step("Reading corrections", number, len(entries))
        found = _lesson_or_objection(entry, settings, card, table, parent)
        if isinstance(found, Lesson):
            found.volume.save(kept)
            rows.append(_row(found))
        else:
            refused.append(_refusal(entry, found))
    control.step("Reading corrections", len(entries), len(entries))
    text = json.dumps({"lessons": rows, "refused": [r.model_dump() for r in refused]})
    put(kept / _FILE, text.encode())


def done_entries(corrections: Path) -> list[Entry]:
    """Scans of the store that are done and have a version.

    Raises
    ------
    SpineSegError
        If there are none: says what to do.
    """
    if not Path(corrections).is_dir():
        raise StoreError(
            f"{corrections}: there is no corrections store; fill one on the Correct page or with "
            "`spineseg corrections add`."
        )
    entries = [e for e in CorrectionsStore(corrections).entries("done") if e.latest is not None]
    if not entries:
        raise StoreError(f"{corrections}: {outlook(corrections).sentence}")
    return entries


def _lesson_or_objection(
    entry: Entry, settings: LearnSettings, card: ModelCard, table: np.ndarray, parent: Predict
) -> Lesson | str:
    try:
        scan, labels = entry.load_scan(), entry.latest.load()
        prediction = entry.prediction.load() if entry.prediction is not None else None
    except SpineSegError as error:
        return str(error)
    if why := objection(scan, labels, prediction):
        return why
    lesson = lesson_of(entry, scan, labels, card.input, table, parent, settings.changed_weight)
    if not lesson.labelled_slices:
        return "Its labels hold nothing that this model knows."
    if looks_for_tumours_alone(table):
        # A tumour or two say nothing about whether labels and image belong together.
        return lesson
    return objection_to_lesson(lesson, parent) or lesson


def _refusal(entry: Entry, why: str) -> ScanPlan:
    return ScanPlan(
        scan=entry.name,
        sha256=entry.identity.sha256,
        version=entry.latest.number,
        role="refused",
        sentence=why,
    )


def _nothing_left(refused: Sequence[ScanPlan]) -> str:
    first = refused[0]
    others = f" ({len(refused) - 1} more were refused too)" if len(refused) > 1 else ""
    return f"No correction can be learnt from. {first.scan}: {first.sentence}{others}"


def _row(lesson: Lesson) -> dict[str, Any]:
    names = [f.name for f in fields(Lesson) if f.name != "volume"]
    return {name: getattr(lesson, name) for name in names} | {"volume": lesson.volume.name}


def _restored(row: dict[str, Any], volumes: dict[str, PreparedVolume]) -> Lesson:
    return Lesson(**{**row, "volume": volumes[row["volume"]], "taught": tuple(row["taught"])})
