"""What networks are asked: slices held back of the corrections, and the guard. Often a few, once all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.io.write import put
from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.learning.lessons.workbook import Workbook
from napari_spineseg.learning.reading import Reader, class_titles, evenly
from napari_spineseg.learning.run.events import Change, PreviewEvent, Scores
from napari_spineseg.learning.verdict.guard import GuardScan, guard_tally
from napari_spineseg.learning.verdict.scores import Tally, tally
from napari_spineseg.progress import Control

# Slices of the corrections for a point of the curve, in all.
_QUICK = 8
_PREVIEWS = 3
# Three of them stand side by side in a dock; larger ones would hold the window up.
_PREVIEW_PX = 320


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of slices that are held back.

    Attributes
    ----------
    counted
        Counts, lesson by lesson in the workbook's order.
    seen
        Classes by volume name and slice, (height, width) uint8 each.
    seconds
        How long asking took.
    """

    counted: Tally
    seen: dict[tuple[str, int], np.ndarray]
    seconds: float


def ask_held_back(
    book: Workbook, titles: dict[int, str], reader: Reader, control: Control, most: int | None = None
) -> Answers:
    """Ask about what is held back, at most `most` slices a scan."""
    started, parts, seen = time.monotonic(), [], {}
    for lesson in book.held_back:
        volume = lesson.volume
        slices = book.split.held_back[volume.name]
        slices = slices if most is None else evenly(slices, most)
        for index in slices:
            control.check()
            seen[volume.name, index] = reader.classes(volume, index)
        said = np.stack([seen[volume.name, index] for index in slices])
        parts.append(tally(said, volume.structures[slices], volume.spacing_mm, titles, lesson.taught))
    return Answers(Tally.joined(parts), seen, time.monotonic() - started)


class Exam:
    """Asks the parent once, and every candidate the same.

    Parameters
    ----------
    held
        What the parent answered on what is held back.
    guard
        The guard set, 255 where it is not judged.

    Attributes
    ----------
    parent_held, parent_guard
        What the parent scores on everything.
    seconds
        How long asking everything took.
    """

    def __init__(
        self,
        book: Workbook,
        card: ModelCard,
        parent: Reader,
        held: Answers,
        guard: list[GuardScan],
        control: Control,
    ) -> None:
        self._book, self._titles, self._guard, self._control = book, class_titles(card), guard, control
        self.parent_held, self._before = held.counted, held.seen
        started = time.monotonic()
        self.parent_guard = guard_tally(parent, self._guard, self._titles)
        self._after: dict[tuple[str, int], np.ndarray] = {}
        self.seconds = held.seconds + time.monotonic() - started

    def quick(self, reader: Reader) -> tuple[Scores, Scores]:
        """Scores on a few slices held back, and of the guard, for the curves."""
        held = self._ask(reader, max(1, _QUICK // max(1, len(self._book.held_back))))
        return held.counted.scores(), guard_tally(reader, self._guard, self._titles, quick=True).scores()

    def held_back(self, reader: Reader) -> dict[str, Change]:
        """What became of the scores on everything held back, with a candidate."""
        held = self._ask(reader)
        self._after = held.seen
        return self.parent_held.changes(held.counted)

    def guard(self, reader: Reader) -> dict[str, Change]:
        """What became of the scores on the whole guard set, with a candidate."""
        return self.parent_guard.changes(guard_tally(reader, self._guard, self._titles))

    def previews(self, folder: Path) -> Iterator[PreviewEvent]:
        """Pictures of slices that changed most, before and after; `held_back` was asked before."""
        rows = [
            (self._dice(self._after[place], place), self._dice(self._before[place], place), place)
            for place in self._after
        ]
        rows.sort(key=lambda row: row[1] - row[0])
        for number, (after, before, (name, index)) in enumerate(rows[:_PREVIEWS], start=1):
            lesson = self._lesson(name)
            file = folder / f"preview-{number}.npz"
            whole = {
                "image": lesson.volume.values[index],
                "truth": lesson.volume.structures[index],
                "before": self._before[name, index],
                "after": self._after[name, index],
            }
            thin = -(-max(whole["image"].shape) // _PREVIEW_PX)
            arrays = {what: pixels[::thin, ::thin] for what, pixels in whole.items()}
            put(file, lambda path, arrays=arrays: _save(path, arrays))
            yield PreviewEvent(
                scan=lesson.name,
                slice=index,
                file=str(file),
                spacing_mm=lesson.volume.spacing_mm * thin,
                before=round(before, 4),
                after=round(after, 4),
            )

    def _ask(self, reader: Reader, most: int | None = None) -> Answers:
        return ask_held_back(self._book, self._titles, reader, self._control, most)

    def _dice(self, seen: np.ndarray, place: tuple[str, int]) -> float:
        name, index = place
        volume, lesson = self._lesson(name).volume, self._lesson(name)
        counts = tally(seen[None], volume.structures[[index]], volume.spacing_mm, self._titles, lesson.taught)
        return counts.scores()["mean"] or 0.0

    def _lesson(self, name: str) -> Lesson:
        return next(x for x in self._book.lessons if x.volume.name == name)


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
