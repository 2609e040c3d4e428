"""Reading the column from top to bottom: which stretch is which vertebra or disc.

The structures in a tube around the centre line become one signal an arc length. The best
alternating sequence vertebra, disc, vertebra ... under that signal is found exactly, by dynamic
programming over segments (a semi-Markov model). Because the whole column is read at once, a disc
that the network missed, two bodies that touch, or a hole in one do not derail the count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.instances.column import Coordinates

_TUBE_DEPTH = 12.0
_TUBE_WIDTH = 12.0

# Prices in the currency of the signal: one is a millimetre of the column painted as expected.
_SKIPPED = 0.7
_ANOTHER = 2.0
_UNLIKELY = 3.0
_LONGEST = 75
# A disc is rarely painted where there is none, whereas bodies often run into each other.
_DISC_COUNTS = 2.0
_SCALES = (0.7, 0.85, 1.0, 1.15)


@dataclass(frozen=True)
class Heights:
    """Heights to expect, mm, and how much they may differ."""

    vertebra: float = 27.0
    disc: float = 9.0
    vertebra_spread: float = 6.0
    disc_spread: float = 4.5

    def scaled(self, scale: float) -> Heights:
        """Those of a larger or smaller spine."""
        return Heights(
            self.vertebra * scale, self.disc * scale, self.vertebra_spread * scale, self.disc_spread
        )


@dataclass(frozen=True)
class Segment:
    """A stretch of the centre line, `start` to `stop` mm, that is one vertebra (or disc)."""

    is_disc: bool
    start: float
    stop: float
    evidence: float
    """Share of the stretch (0 to about 1) that is painted as what it is taken for."""

    @property
    def height(self) -> float:
        """mm."""
        return self.stop - self.start

    @property
    def middle(self) -> float:
        """mm."""
        return (self.start + self.stop) / 2


def signals(
    bone: tuple[Coordinates, np.ndarray], disc: tuple[Coordinates, np.ndarray], length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cross-section of vertebra and of disc in the tube as a share of a full one, (length,) each, one a mm.

    `bone` and `disc` are the coordinates of blocks and how many voxels each holds.
    """
    sections = []
    for where, amount in (bone, disc):
        tube = (np.abs(where.behind) < _TUBE_DEPTH) & (np.abs(where.beside) < _TUBE_WIDTH)
        tube &= (where.along >= 0) & (where.along < length)
        sections.append(np.bincount(where.along[tube].astype(int), amount[tube], length))
    both = sections[0] + sections[1]
    full = np.percentile(both[both > 0], 70) if both.any() else 1.0
    return np.clip(sections[0] / full, 0, 1.2), np.clip(sections[1] / full, 0, 1.2)


def read_column(vertebra: np.ndarray, disc: np.ndarray) -> list[Segment]:
    """The best alternating sequence of vertebrae and discs, from the top down.

    Parameters
    ----------
    vertebra, disc
        (n,) signals, one a mm, 0 to about 1 (see `signals`).
    """
    if not (vertebra.any() or disc.any()):
        return []
    best = _parse(vertebra, disc, [Heights().scaled(scale) for scale in _SCALES])
    inner = [s.height for s in best[1:-1] if not s.is_disc and s.evidence > 0.5]
    if len(inner) >= 2:
        typical = float(np.median(inner))
        best = _parse(vertebra, disc, [Heights(vertebra=typical, vertebra_spread=0.2 * typical)])
    return best


def _prices(heights: list[Heights], lengths: np.ndarray) -> dict[bool, tuple[np.ndarray, np.ndarray]]:
    """Price of each height, whole and where the field of view may have cut it: (scales, lengths) each."""
    out = {}
    for is_disc in (False, True):
        kind = "disc" if is_disc else "vertebra"
        expected = np.array([[getattr(h, kind)] for h in heights])
        spread = np.array([[getattr(h, f"{kind}_spread")] for h in heights])
        fixed = 0.0 if is_disc else _ANOTHER
        whole = _UNLIKELY * _rarity((lengths - expected) / spread) + fixed
        out[is_disc] = whole, np.where(lengths < expected, fixed, whole)
    return out


def _rarity(deviation: np.ndarray) -> np.ndarray:
    """Price of a height: square near what is expected; only linear below, because vertebrae collapse."""
    return np.where(deviation < -1, np.abs(deviation) - 0.5, deviation**2 / 2)


def _parse(vertebra: np.ndarray, disc: np.ndarray, heights: list[Heights]) -> list[Segment]:
    """Best segments under the best of the expected heights.

    Tables are (scales, stops, lengths): what a segment that ends at `stop` with this length earns.
    """
    size, lengths = len(vertebra), np.arange(1, _LONGEST + 1)
    stops = np.arange(size + 1)
    starts = stops[:, None] - lengths
    real = starts >= 0
    starts = np.maximum(starts, 0)
    gain = np.concatenate([[0.0], np.cumsum(vertebra - _DISC_COUNTS * disc)])
    skipped = _SKIPPED * np.concatenate([[0.0], np.cumsum(vertebra + disc)])
    whole, opening, closing = {}, {}, {}
    for is_disc, (price, cut) in _prices(heights, lengths).items():
        inside = np.where(real, (gain[:, None] - gain[starts]) * (-1 if is_disc else 1), -np.inf)
        whole[is_disc] = inside - price[:, None]
        opening[is_disc] = inside - skipped[starts] - cut[:, None]
        closing[is_disc] = inside - cut[:, None] - (skipped[-1] - skipped)[:, None]
    score, came = _forward(whole, opening, starts)
    # The last segment may be cut as well; it ends the parse.
    ends = {kind: np.maximum(-skipped[starts], score[not kind][:, starts]) + closing[kind] for kind in score}
    is_disc = bool(ends[True].max() > ends[False].max())
    scale, stop, pick = (int(v) for v in np.unravel_index(ends[is_disc].argmax(), ends[is_disc].shape))
    start = int(starts[stop, pick])
    bounds = [(is_disc, start, stop)]
    opens = -skipped[start] >= score[not is_disc][scale, start]
    while not opens:
        is_disc, stop = not is_disc, start
        pick, opens = came[is_disc][0][scale, stop], came[is_disc][1][scale, stop]
        start = int(starts[stop, pick])
        bounds.append((is_disc, start, stop))
    return [_segment(*bound, vertebra, disc) for bound in bounds[::-1]]


def _forward(whole, opening, starts):
    """Best score of a parse whose last segment ends at each stop, and where that segment came from."""
    scales, size = whole[True].shape[:2]
    score = {kind: np.full((scales, size), -np.inf) for kind in (False, True)}
    came = {kind: (np.zeros((scales, size), int), np.zeros((scales, size), bool)) for kind in (False, True)}
    first = {kind: (table.argmax(2), table.max(2)) for kind, table in opening.items()}
    for stop in range(1, size):
        for kind in (False, True):
            later = score[not kind][:, starts[stop]] + whole[kind][:, stop]
            pick = later.argmax(1)
            value = later[np.arange(scales), pick]
            opens = first[kind][1][:, stop] >= value
            score[kind][:, stop] = np.where(opens, first[kind][1][:, stop], value)
            came[kind][0][:, stop] = np.where(opens, first[kind][0][:, stop], pick)
            came[kind][1][:, stop] = opens
    return score, came


def _segment(is_disc: bool, start: int, stop: int, vertebra: np.ndarray, disc: np.ndarray) -> Segment:
    own = (disc if is_disc else vertebra)[start:stop]
    return Segment(is_disc, float(start), float(stop), float(np.clip(own, 0, 1).mean()))
