"""Which vertebra is the lowest: the lumbosacral junction, and what to say when it is not plain.

SPIDER counts upward from the lowest lumbar vertebra. The junction is recognised by a disc below the
lowest vertebra that slopes as L5/S1 does, with room below it in which no further vertebra is
painted. The sacrum itself is not labelled; a bit of it that was painted as a vertebra is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import Numbering

# Slope of a disc in the sagittal plane, degrees, front end lower = negative: mean and spread of
# L5/S1, L4/L5, L3/L4 ... in 40 SPIDER volumes.
_SLOPE_MEAN = np.array([-33.0, -13.0, -4.0, 4.0, 8.0, 10.0])
_SLOPE_SPREAD = np.array([9.0, 7.0, 5.0, 6.0, 7.0, 8.0])
_LEVEL_DISC = -14.0
_STEEP_DISC = -22.0
_SECOND_STEEP = -32.0
# Millimetres of picture below the lowest disc that show that nothing else follows.
_ROOM = 15.0
_BORDER = 3.0
_FRAGMENT = 0.5
# A log likelihood ratio of S1 against L5 above which the lowest piece is left out, and doubted.
_S1_PLAIN, _S1_POSSIBLE = 2.0, 0.0
# What a size, as a share of the vertebra above, adds to that.
_S1_SIZES = ((0.2, 4.5), (0.3, 3.0), (0.5, 2.0), (0.75, 0.5))
# A smaller share, if plain beyond doubt, goes as an island does: no word is lost on it.
_SLIVER = 0.3
# Millilitres behind the canal that are more than a stray piece.
_LAMINAE = 0.5
_MERGED = 1.6
_RUDIMENTARY = 0.3
# Volume of the lowest vertebra as a share of the one above: never below .83 in 40 SPIDER volumes.
_SMALL = 0.75
_MISSING, _IN_PART, _WHOLE = 0.1, 0.45, 0.7

ABOUT_THE_NUMBERS = ("junction", "may be S1 or L6", "may be transitional", "looks like a part of S1")
"""In each warning that doubts the numbers themselves: whoever chooses a numbering has answered it."""


@dataclass(frozen=True)
class Alternative:
    """Another way to number the same instances.

    Attributes
    ----------
    description
        When it would be right, as a person reads it.
    shift
        Add this to every vertebra and disc label to get there; what falls below 1 (or 201) is
        then sacrum and left out.
    numbering
        Names under this alternative.
    """

    description: str
    shift: int = 0
    numbering: Numbering = Numbering()


@dataclass(frozen=True)
class Level:
    """A vertebra of the column with the disc below it, as far as painted.

    Attributes
    ----------
    height
        Of the body along the line, mm.
    evidence
        Share of the body that is painted.
    volume, posterior, disc_volume
        ml of the vertebra, of its laminae and spinous process, and of the disc below (0: none is painted).
    slope
        Of the disc below, degrees in the sagittal plane, front end lower = negative; None without one.
    room
        Millimetres of picture below the lowest voxel of vertebra and disc.
    """

    height: float
    evidence: float
    volume: float
    posterior: float
    disc_volume: float
    slope: float | None
    room: float


@dataclass(frozen=True)
class Decision:
    """How many vertebrae (from the bottom) to leave out, and what to say."""

    left_out: int = 0
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()


def decide(levels: list[Level]) -> Decision:
    """Number a column from its lowest vertebra.

    Parameters
    ----------
    levels
        From the top down.
    """
    typical = float(np.median([v.height for v in levels[1:-1]] or [v.height for v in levels]))
    left_out, texts, others = _not_lumbar(levels, typical)
    kept = levels[: len(levels) - left_out]
    for more_texts, more_others in (_junction(kept, left_out > 0), _unusual(kept)):
        texts, others = texts + more_texts, others + more_others
    texts += _gaps(kept, typical)
    distinct = {(a.shift, a.numbering): a for a in reversed(others)}
    return Decision(left_out, tuple(dict.fromkeys(texts)), tuple(reversed(distinct.values())))


def _not_lumbar(levels: list[Level], typical: float) -> tuple[int, list[str], list[Alternative]]:
    """How many of the lowest are bits of the sacrum or cut off by the border, and what to say."""
    if len(levels) < 2:
        return 0, [], []
    last, above = levels[-1], levels[-2]
    if last.room <= _BORDER and not last.disc_volume:
        if last.height < _FRAGMENT * typical and above.disc_volume:
            text = "The lowest vertebra is cut off by the lower border of the scan and was left out."
            return 1, [text], [_shifted(1)]
        return 0, [], []
    if len(levels) > 2 and above.evidence < _MISSING and last.evidence < _WHOLE:
        # Whatever is painted far below the column, with nothing in between, is not part of it.
        return 2, [], []
    odds = _s1_odds(last, above)
    if odds <= _S1_PLAIN:
        return 0, [], []
    plain = odds >= 2 * _S1_PLAIN
    if plain and _size(last, above) < _SLIVER:
        return 1, [], []
    text = "What was painted below the lowest disc looks like a part of S1 and was left out."
    doubt = Alternative("What was left out is L5; the lowest vertebra is L4.", 1)
    return 1, [text], [] if plain else [doubt]


def _size(last: Level, above: Level) -> float:
    """Volume of the lowest painted vertebra as a share of the one above."""
    return last.volume / max(above.volume, 1e-6)


def _s1_odds(last: Level, above: Level) -> float:
    """Log likelihood ratio that the lowest painted vertebra is a bit of S1, not L5.

    What counts most is the disc above it: it slopes as L5/S1 does, or as L4/L5. S1 is seldom painted
    whole and has no laminae and at most a small disc below it; but L5 is not always painted whole either.
    """
    if above.slope is None or not above.disc_volume:
        return _S1_POSSIBLE - 1.0
    size = _size(last, above)
    l5s1, l4l5 = ((above.slope - _SLOPE_MEAN[:2]) / _SLOPE_SPREAD[:2]) ** 2 / 2 + np.log(_SLOPE_SPREAD[:2])
    odds = float(l4l5 - l5s1)
    odds += next((gain for limit, gain in _S1_SIZES if size < limit), -3.0)
    # The spinous process above hangs down to S1, so a share of laminae is to be expected there.
    laminae = last.posterior / max(above.posterior, _LAMINAE)
    odds += 0.5 if laminae < 0.5 else 0.0 if laminae < 0.75 else -2.5
    return odds - (3.0 if last.disc_volume > _RUDIMENTARY * above.disc_volume else 0.0)


def _junction(levels: list[Level], ended: bool) -> tuple[list[str], list[Alternative]]:
    """Is the lowest vertebra the last lumbar one?"""
    last = levels[-1]
    slope = last.slope
    if not last.disc_volume:
        text = (
            "No disc was found below the lowest vertebra, so the lumbosacral junction is not certain; "
            "the lowest vertebra was numbered as L5."
        )
        return [text], [*_perhaps_s1(levels), *(_by_slope(levels[:-1], offset=1) or [_shifted(1)])]
    if slope is not None and slope <= _STEEP_DISC:
        return [], []
    if (last.room >= _ROOM or ended) and (slope is None or slope <= _LEVEL_DISC):
        return [], []
    if last.room >= _ROOM:
        text = "The lowest disc slopes less than L5/S1 usually does"
    else:
        text = "The scan ends just below the lowest disc"
    return (
        [f"{text}, so the lumbosacral junction may not be in view; the lowest vertebra was numbered as L5."],
        _by_slope(levels) or [_shifted(1)],
    )


def _perhaps_s1(levels: list[Level]) -> list[Alternative]:
    """That the lowest vertebra is a part of S1, where that is likely."""
    if len(levels) < 2:
        return []
    if _s1_odds(levels[-1], levels[-2]) <= _S1_POSSIBLE:
        return []
    return [Alternative("The lowest vertebra is a part of S1.", -1)]


def _shifted(shift: int) -> Alternative:
    names = Numbering()
    lowest = names.vertebra(1 + shift)
    return Alternative(f"The lowest vertebra is {lowest}.", shift)


def _by_slope(levels: list[Level], offset: int = 0) -> list[Alternative]:
    """The likeliest other numbers of the lowest vertebra, judged by how the discs slope; at most two."""
    slopes = [v.slope for v in reversed(levels)]
    fits = []
    for shift in range(1, 5):
        mean = [_SLOPE_MEAN[min(k + shift + offset, len(_SLOPE_MEAN) - 1)] for k in range(len(slopes))]
        spread = [_SLOPE_SPREAD[min(k + shift + offset, len(_SLOPE_MEAN) - 1)] for k in range(len(slopes))]
        terms = [
            ((s - m) / w) ** 2 + 2 * np.log(w)
            for s, m, w in zip(slopes, mean, spread, strict=True)
            if s is not None
        ]
        if terms:
            fits.append((float(np.mean(terms)), shift))
    return [_shifted(shift) for _, shift in sorted(fits)[:2]]


def _unusual(levels: list[Level]) -> tuple[list[str], list[Alternative]]:
    """Signs of a transitional vertebra: L6, four lumbar, sacralised or lumbarised."""
    if len(levels) < 2 or not levels[-1].disc_volume or not levels[-2].disc_volume:
        return [], []
    last, above = levels[-1], levels[-2]
    if above.slope is not None and above.slope < _SECOND_STEEP:
        return (
            ["The second lowest disc slopes as L5/S1 usually does: the lowest vertebra may be S1 or L6."],
            [
                Alternative("The lowest vertebra is S1 (lumbarised or painted by mistake).", -1),
                Alternative("There are six lumbar vertebrae; the lowest is L6.", 0, Numbering(lumbar=6)),
            ],
        )
    if last.evidence > _IN_PART and last.disc_volume < _RUDIMENTARY * above.disc_volume:
        return (
            ["The lowest disc is rudimentary: the lowest vertebra may be transitional (L5 or L6)."],
            [
                Alternative("There are four lumbar vertebrae; the lowest is L4.", 0, Numbering(lumbar=4)),
                Alternative("There are six lumbar vertebrae; the lowest is L6.", 0, Numbering(lumbar=6)),
                Alternative("The lowest vertebra is S1 (sacralised L5 counts as sacrum).", -1),
            ],
        )
    small = last.volume < _SMALL * above.volume
    if small or last.evidence < _IN_PART:
        # That it is painted only in part is said with the other gaps.
        text = "The lowest vertebra is much smaller than the next: it may be transitional, or a part of S1."
        return (
            [text] if small else [],
            [
                Alternative("The lowest vertebra is S1 (sacralised L5 counts as sacrum).", -1),
                Alternative("There are six lumbar vertebrae; the lowest is L6.", 0, Numbering(lumbar=6)),
            ],
        )
    return [], []


def _gaps(levels: list[Level], typical: float) -> list[str]:
    """Vertebrae that were counted though hardly painted, and ones that are as high as two."""
    names = Numbering()
    texts = []
    for number, level in zip(range(len(levels), 0, -1), levels, strict=True):
        if level.evidence < _MISSING and 1 < number < len(levels):
            texts.append(
                f"Hardly anything was painted where {names.vertebra(number)} should be; it was counted."
            )
        elif number == 1 and level.evidence < _IN_PART:
            texts.append(f"{names.vertebra(number)} is painted only in part.")
        elif level.height > _MERGED * typical:
            texts.append(f"{names.vertebra(number)} is unusually high; it may be two vertebrae.")
    return texts
