"""Whether corrections follow a style of their own, and what follows from that. See `corrections.style`.

A style explains at least half of what was corrected. Then replay asks for phantoms labelled in it, in place
of teaching the old style against the corrections, and the guard does not judge the pixels that it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.corrections.style import LEAST_REMOVED, Style, fit_style, load_style, save_style
from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.learning.lessons.lesson import Lesson, Predict
from napari_spineseg.learning.lessons.workbook import Workbook
from napari_spineseg.learning.reading import class_table, class_titles
from napari_spineseg.learning.verdict.exam import Answers
from napari_spineseg.learning.verdict.guard import GuardScan
from napari_spineseg.learning.verdict.scores import Tally, tally

# Of each structure the guard must still see this share, or it would guard nothing.
LEAST_GUARDED = 0.25
# A style draws borders elsewhere; what turns more than this of a structure into another one is an error.
MOST_RENAMED = 0.1
# Below so little error there is nothing to learn a style from.
_LEAST_ERROR = 0.05
# Sizes that differ by less are not worth a word.
_NOTABLE = 0.05


@dataclass(frozen=True, eq=False)
class FoundStyle:
    """A style that was accepted.

    Attributes
    ----------
    removed
        The share of the held-back error (1 - Dice, mean over structures) that it takes away by itself.
    sizes
        How many times as large as the parent draws it each structure is, by title.
    """

    style: Style
    removed: float
    sizes: dict[str, float]

    @property
    def sentence(self) -> str:
        """What it is, and what follows from it, in words."""
        parts = [
            f"{title} {abs(1 - size):.0%} {'smaller' if size < 1 else 'larger'}"
            for title, size in self.sizes.items()
            if abs(1 - size) >= _NOTABLE
        ]
        how = f" ({', '.join(parts)} than the model draws it)" if parts else ""
        return (
            f"Your labels follow a style of their own{how}. Phantoms are replayed in it, and the guard does "
            "not judge what it changes."
        )

    def record(self) -> dict[str, Any]:
        """For the card."""
        return {
            "error_removed_by_labels_alone": round(self.removed, 3),
            "sizes": {title: round(size, 3) for title, size in self.sizes.items()},
        }


class StyleSearch:
    """Looks for a style in a workbook's corrections.

    Parameters
    ----------
    parent
        What the parent sees.
    kept
        File that a fitted style is kept in, for a resume.
    """

    def __init__(self, book: Workbook, card: ModelCard, parent: Predict, kept: Path) -> None:
        self._book, self._parent, self._kept = book, parent, kept
        self._titles = class_titles(card)
        self._classes, self._canal = len(card.structures), int(class_table(card)[Structure.CANAL])

    def find(self, held: Answers, guard: Sequence[GuardScan]) -> tuple[FoundStyle | None, list[GuardScan]]:
        """The style, if there is one, and the guard set with what may be judged under it.

        `held` is what the parent answered on what is held back.
        """
        before = held.counted
        if not self._book.split.honest or _error(before) < _LEAST_ERROR:
            return None, list(guard)
        style = self._fitted()
        after = Tally.joined([self._in_style(lesson, held, style) for lesson in self._book.held_back])
        removed = 1 - _error(after) / _error(before)
        restyled = [style.labels(_drawn(scan), scan.volume.spacing_mm) for scan in guard]
        if removed < LEAST_REMOVED or not self._is_harmless(guard, restyled):
            return None, list(guard)
        opened = [_open_to_judge(scan, new) for scan, new in zip(guard, restyled, strict=True)]
        return FoundStyle(style, removed, self._sizes(before)), opened

    def _fitted(self) -> Style:
        if self._kept.exists():
            return load_style(self._kept, self._classes, self._canal)
        slices = [(x.volume, list(self._book.split.learn[x.volume.name])) for x in self._book.learnt]
        seen = [self._parent(volume, some) for volume, some in slices]
        wanted = [volume.structures[some] for volume, some in slices]
        pixels = [volume.spacing_mm for volume, _ in slices]
        style = fit_style(seen, wanted, pixels, self._classes, self._canal)
        save_style(style, self._kept)
        return style

    def _in_style(self, lesson: Lesson, held: Answers, style: Style) -> Tally:
        """What the parent would score on a lesson's held-back slices if its answers were in the style."""
        volume = lesson.volume
        slices = self._book.split.held_back[volume.name]
        seen = style.labels(np.stack([held.seen[volume.name, n] for n in slices]), volume.spacing_mm)
        return tally(seen, volume.structures[slices], volume.spacing_mm, self._titles, lesson.taught)

    def _sizes(self, before: Tally) -> dict[str, float]:
        total = before.counts.sum(0)
        return {
            title: float(wanted / drawn)
            for title, (_, drawn, wanted) in zip(before.titles, total, strict=True)
            if drawn and wanted
        }

    def _is_harmless(self, guard: Sequence[GuardScan], restyled: Sequence[np.ndarray]) -> bool:
        """Whether it leaves the guard enough to judge, and every structure its name."""
        old, new = (np.concatenate([a.ravel() for a in arrays]) for arrays in (map(_drawn, guard), restyled))
        for number in self._titles:
            mine = new[old == number]
            kept, renamed = (mine == number).sum(), ((mine != number) & (mine > 0)).sum()
            if kept < LEAST_GUARDED * len(mine) or renamed > MOST_RENAMED * len(mine):
                return False
        return True


def _drawn(scan: GuardScan) -> np.ndarray:
    """The slices of a guard scan that are looked at, as they are labelled."""
    return scan.volume.structures[scan.slices]


def _open_to_judge(scan: GuardScan, restyled: np.ndarray) -> GuardScan:
    """255 wherever a style labels otherwise."""
    structures = scan.volume.structures.copy()
    structures[scan.slices] = np.where(restyled == _drawn(scan), restyled, UNLABELLED)
    return replace(scan, volume=replace(scan.volume, structures=structures))


def _error(counted: Tally) -> float:
    mean = counted.scores()["mean"]
    return 0.0 if mean is None else 1 - mean
