"""Dice before and after, and how sure the difference is.

What is compared are units: a band of a slice about as high as a level. Two models are asked about the
same units, and units are drawn again and again with replacement (paired bootstrap, Efron and Tibshirani
1993), whole scans first where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.learning.run.events import Change, Scores

_BAND_MM = 40.0
_DRAWS = 2000
# Both ends of the interval: 95 % lie between.
_ENDS = (2.5, 97.5)


@dataclass(frozen=True, eq=False)
class Tally:
    """Pixel counts of units, from which any Dice follows.

    Attributes
    ----------
    counts
        (units, classes, 3) float64: pixels in both, in the prediction, in the reference.
    scan
        (units,) int: which scan each belongs to.
    titles
        Title of each class.
    """

    counts: np.ndarray
    scan: np.ndarray
    titles: tuple[str, ...]

    @staticmethod
    def joined(parts: Sequence[Tally]) -> Tally:
        """Units of several tallies, their scans kept apart."""
        scans, first = [], 0
        for part in parts:
            scans.append(part.scan + first)
            first += int(part.scan.max(initial=-1)) + 1
        return Tally(np.concatenate([p.counts for p in parts]), np.concatenate(scans), parts[0].titles)

    def scores(self) -> Scores:
        """Dice by title, mean over scans, and their mean."""
        weights = np.ones((1, len(self.scan)))
        dice = _dice(self.counts, self.scan, weights)[0]
        return _named(dice, self.titles)

    def changes(self, after: Tally, seed: int = 0) -> dict[str, Change]:
        """What became of each score, with its interval. `after` holds the same units."""
        weights = _draws(self.scan, np.random.default_rng(seed))
        before_all, after_all = (_dice(t.counts, t.scan, weights) for t in (self, after))
        moved = _with_mean(after_all) - _with_mean(before_all)
        first, last = self.scores(), after.scores()
        return {
            title: _change(first[title], last[title], moved[:, column])
            for column, title in enumerate((*self.titles, "mean"))
        }


def tally(
    predicted: np.ndarray,
    reference: np.ndarray,
    pixel_mm: float,
    titles: Mapping[int, str],
    taught: Sequence[int] | None = None,
) -> Tally:
    """Count one scan's slices.

    Parameters
    ----------
    predicted, reference
        (slices, height, width) classes; the reference is 255 where nobody labelled.
    titles
        The classes to count.
    taught
        Those of them that somebody labelled; all of them where None. Others count as unknown.
    """
    rows = max(1, round(_BAND_MM / pixel_mm))
    starts = np.arange(0, reference.shape[1], rows)
    known = reference != UNLABELLED
    counts = np.zeros((len(reference), len(starts), len(titles), 3))
    for column, number in enumerate(titles):
        if taught is not None and number not in taught:
            continue
        ours, theirs = (predicted == number) & known, reference == number
        for kind, mask in enumerate((ours & theirs, ours, theirs)):
            counts[:, :, column, kind] = np.add.reduceat(mask.sum(2), starts, axis=1)
    counts = counts.reshape(-1, len(titles), 3)
    return Tally(counts, np.zeros(len(counts), int), tuple(titles.values()))


def _dice(counts: np.ndarray, scan: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws, classes): Dice of each scan from its drawn units, mean over scans; NaN where unknown."""
    scans = np.unique(scan)
    total = np.zeros((len(weights), counts.shape[1]))
    number = np.zeros_like(total)
    for one in scans:
        mine = scan == one
        sums = np.einsum("du,uck->dck", weights[:, mine], counts[mine])
        size = sums[..., 1] + sums[..., 2]
        # How often a scan was drawn is in its units' weights; it counts that often in the mean too.
        times = weights[:, mine].sum(1, keepdims=True) / mine.sum()
        known = size > 0
        dice = np.divide(2 * sums[..., 0], size, out=np.zeros_like(size), where=known)
        total += np.where(known, times * dice, 0)
        number += np.where(known, times, 0)
    return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def _draws(scan: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(draws, units): how often each unit is drawn."""
    scans = np.unique(scan)
    times = np.ones((_DRAWS, len(scans)))
    if len(scans) > 3:
        times = rng.multinomial(len(scans), np.full(len(scans), 1 / len(scans)), _DRAWS).astype(float)
    weights = np.zeros((_DRAWS, len(scan)))
    for column, one in enumerate(scans):
        mine = np.flatnonzero(scan == one)
        drawn = rng.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), _DRAWS)
        weights[:, mine] = drawn * times[:, [column]]
    return weights


def _with_mean(dice: np.ndarray) -> np.ndarray:
    """A last column: the mean over the classes that are known."""
    known = ~np.isnan(dice)
    mean = np.where(known, dice, 0).sum(1) / np.maximum(known.sum(1), 1)
    mean[~known.any(1)] = np.nan
    return np.column_stack([dice, mean])


def _named(dice: np.ndarray, titles: Sequence[str]) -> Scores:
    values = _with_mean(dice[None])[0]
    return {
        title: None if np.isnan(value) else round(float(value), 4)
        for title, value in zip((*titles, "mean"), values, strict=True)
    }


def _change(before: float | None, after: float | None, moved: np.ndarray) -> Change:
    moved = moved[np.isfinite(moved)]
    if before is None or after is None or not len(moved):
        return Change(before=before, after=after)
    low, high = np.percentile(moved, _ENDS)
    return Change(
        before=before,
        after=after,
        change=round(after - before, 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
    )
