"""Reading the column from top to bottom: which stretch is which vertebra or disc.

The structures in a tube around the centre line become one signal an arc length. The best
alternating sequence vertebra, disc, vertebra ... under that signal is found exactly, by dynamic
programming over segments (a semi-Markov model). Because the whole column is read at once, a disc
that the network missed, two bodies that touch, or a hole in one do not derail the count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TUBE_DEPTH = 12.0
_TUBE_WIDTH = 12.0


@dataclass(frozen=True)
class Heights:
    """Heights to expect, mm, and how much they may differ."""

    vertebra: float = 27.0
    disc: float = 9.0
    vertebra_spread: float = 6.0
    disc_spread: float = 4.5


@dataclass(frozen=True)
class Segment:
    """A stretch of the centre line, `start` to `stop` mm, that is one vertebra (or disc)."""

    is_disc: bool
    start: float
    stop: float
    evidence: float
    """Share of the stretch (0 to 1) that is painted as what it is taken for."""

    @property
    def height(self) -> float:
        """mm."""
        return self.stop - self.start


# Prices in the currency of the signal: one is a millimetre of the column painted as expected.
_SKIPPED = 0.7
_ANOTHER = 2.0
_UNLIKELY = 3.0
_LONGEST = 75
# A disc is rarely painted where there is none, whereas bodies often run into each other.
_DISC_COUNTS = 2.0


def signals(along, behind, beside, is_disc, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Cross-section of vertebra and of disc in the tube, (n,) each, one a mm, as a share of a full one."""
    tube = (np.abs(behind) < _TUBE_DEPTH) & (np.abs(beside) < _TUBE_WIDTH) & (along >= 0) & (along <= length)
    size = int(length) + 1
    bins = along[tube].astype(int)
    disc = np.bincount(bins, is_disc[tube], size)[:size]
    both = np.bincount(bins, minlength=size)[:size].astype(float)
    painted = both[both > 0]
    full = np.percentile(painted, 70) if len(painted) else 1.0
    return np.clip((both - disc) / full, 0, 1.2), np.clip(disc / full, 0, 1.2)


def read_column(vertebra: np.ndarray, disc: np.ndarray) -> list[Segment]:
    """The best alternating sequence of vertebrae and discs, from the top down.

    Parameters
    ----------
    vertebra, disc
        (n,) signals, one a mm, 0 to about 1 (see `signals`).
    """
    best = max(
        (_parse(vertebra, disc, _scaled(scale)) for scale in (0.7, 0.85, 1.0, 1.15)), key=lambda found: found[0]
    )[1]
    inner = [s.height for s in best[1:-1] if not s.is_disc and s.evidence > 0.5]
    if len(inner) >= 2:
        own = Heights(vertebra=float(np.median(inner)), vertebra_spread=0.2 * float(np.median(inner)))
        best = _parse(vertebra, disc, own)[1]
    return best


def _scaled(scale: float) -> Heights:
    return Heights(27.0 * scale, 9.0 * scale, 6.0 * scale, 4.5)


def _parse(vertebra: np.ndarray, disc: np.ndarray, heights: Heights) -> tuple[float, list[Segment]]:
    """Best score and segments for given expected heights."""
    size = len(vertebra)
    gain = np.concatenate([[0.0], np.cumsum(vertebra - _DISC_COUNTS * disc)])
    skipped = _SKIPPED * np.concatenate([[0.0], np.cumsum(vertebra + disc)])
    lengths = np.arange(1, _LONGEST + 1)
    price = {
        False: _UNLIKELY * _rarity((lengths - heights.vertebra) / heights.vertebra_spread) + _ANOTHER,
        True: _UNLIKELY * _rarity((lengths - heights.disc) / heights.disc_spread),
    }
    # At either end of what is painted a vertebra or disc may be cut by the field of view.
    cut = {
        False: np.where(lengths < heights.vertebra, _ANOTHER, price[False]),
        True: np.where(lengths < heights.disc, 0.0, price[True]),
    }
    score = {False: np.full(size + 1, -np.inf), True: np.full(size + 1, -np.inf)}
    came = {False: np.zeros((size + 1, 2), int), True: np.zeros((size + 1, 2), int)}
    closing = (-np.inf, 0, False, 0, 0)
    for stop in range(1, size + 1):
        starts = stop - lengths[:stop]
        for is_disc in (False, True):
            inside = (gain[stop] - gain[starts]) * (-1 if is_disc else 1)
            whole, clipped = price[is_disc][: len(starts)], cut[is_disc][: len(starts)]
            first = -skipped[starts] + inside - clipped
            later = score[not is_disc][starts] + inside - whole
            pick = int(np.argmax(np.maximum(first, later)))
            opens = first[pick] >= later[pick]
            score[is_disc][stop] = first[pick] if opens else later[pick]
            came[is_disc][stop] = starts[pick], opens
            # The last segment may be clipped as well; it ends the parse here.
            final = np.maximum(-skipped[starts], score[not is_disc][starts]) + inside - clipped
            final = final - (skipped[-1] - skipped[stop])
            last = int(np.argmax(final))
            if final[last] > closing[0]:
                closing = (float(final[last]), stop, is_disc, int(starts[last]), 0)
    return closing[0], _trace_back(closing, score, came, skipped, vertebra, disc)


def _trace_back(closing, score, came, skipped, vertebra, disc) -> list[Segment]:
    """Segments from the top down, out of the tables of `_parse`."""
    _, stop, is_disc, start, _ = closing
    if not np.isfinite(closing[0]):
        return []
    segments = [_segment(is_disc, start, stop, vertebra, disc)]
    if -skipped[start] >= score[not is_disc][start]:
        return segments
    while True:
        is_disc, stop = not is_disc, start
        start, opens = (int(v) for v in came[is_disc][stop])
        segments.append(_segment(is_disc, start, stop, vertebra, disc))
        if opens:
            return segments[::-1]


def _rarity(deviation: np.ndarray) -> np.ndarray:
    """Price of a height: square near what is expected; only linear below, because vertebrae collapse."""
    short = np.abs(deviation) - 0.5
    return np.where(deviation < -1, short, deviation**2 / 2)


def _segment(is_disc: bool, start: int, stop: int, vertebra: np.ndarray, disc: np.ndarray) -> Segment:
    own = (disc if is_disc else vertebra)[start:stop]
    return Segment(is_disc, float(start), float(stop), float(np.clip(own, 0, 1).mean()))
