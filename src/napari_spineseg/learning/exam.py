"""What networks are asked: slices held back of the corrections, and the guard. Often a few, once all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.io.write import put
from napari_spineseg.learning.events import Change, PreviewEvent, Scores
from napari_spineseg.learning.guard import GuardScan, guard_tally
from napari_spineseg.learning.lessons import Lesson
from napari_spineseg.learning.reading import Reader, class_titles, evenly
from napari_spineseg.learning.scores import Tally, tally
from napari_spineseg.learning.workbook import Workbook
from napari_spineseg.progress import Control

# Slices of the corrections for a point of the curve, in all.
_QUICK = 8
_PREVIEWS = 3
# Three of them stand side by side in a dock; larger ones would hold the window up.
_PREVIEW_PX = 320


class Exam:
    """Asks the parent once, and every candidate the same.

    Parameters
    ----------
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
        self, book: Workbook, card: ModelCard, parent: Reader, guard: list[GuardScan], control: Control
    ) -> None:
        self._book, self._titles, self._guard = book, class_titles(card), guard
        started = time.monotonic()
        self._control = control
        self.parent_held, self._before = self._held_back(parent)
        self.parent_guard = guard_tally(parent, self._guard, self._titles)
        self._after: dict[tuple[str, int], np.ndarray] = {}
        self.seconds = time.monotonic() - started

    def quick(self, reader: Reader) -> tuple[Scores, Scores]:
        """Scores on a few slices held back, and of the guard, for the curves."""
        held, _ = self._held_back(reader, max(1, _QUICK // max(1, len(self._book.held_back))))
        return held.scores(), guard_tally(reader, self._guard, self._titles, quick=True).scores()

    def held_back(self, reader: Reader) -> dict[str, Change]:
        """What became of the scores on everything held back, with a candidate."""
        held, self._after = self._held_back(reader)
        return self.parent_held.changes(held)

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

    def _held_back(
        self, reader: Reader, most: int | None = None
    ) -> tuple[Tally, dict[tuple[str, int], np.ndarray]]:
        """Counts on what is held back, at most `most` slices a scan, and what was seen where."""
        parts, seen = [], {}
        for lesson in self._book.held_back:
            volume = lesson.volume
            slices = self._book.split.held_back[volume.name]
            slices = slices if most is None else evenly(slices, most)
            for index in slices:
                self._control.check()
                seen[volume.name, index] = reader.classes(volume, index)
            answers = np.stack([seen[volume.name, index] for index in slices])
            parts.append(
                tally(answers, volume.structures[slices], volume.spacing_mm, self._titles, lesson.taught)
            )
        return Tally.joined(parts), seen

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
