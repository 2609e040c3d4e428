"""Numbers that other tools give to vertebrae and discs, and how they translate to `levels`.

Sources: TotalSpineSeg, README "List of classes" (the current numbers, and those of its first
releases, which followed TotalSegmentator); SPINEPS, README "Labels" (instance and subregion masks;
vertebrae as in VerSe: 1-7 C1-C7, 8-19 T1-T12, 20-25 L1-L6, 28 T13, 26 sacrum, 27 coccyx); SPIDER,
van der Graaf et al., Scientific Data 2024 (101-125 are vertebrae that are only partly visible).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, Numbering, Scheme, Structure

Meaning = tuple[Structure, str]
"""What a number stands for: a structure, and the vertebra it is (or, for a disc, lies under)."""

_LEFT_OUT: Meaning = (Structure.BACKGROUND, "")
_CANAL: Meaning = (Structure.CANAL, "")


@dataclass(frozen=True)
class ForeignScheme:
    """Another tool's numbers.

    Attributes
    ----------
    title
        The tool, as a person knows it.
    meanings
        Number -> what it stands for.
    scheme
        Which of our schemes it translates to.
    """

    title: str
    meanings: Mapping[int, Meaning]
    scheme: Scheme = "levels"


def _run(letter: str, count: int, first: int, structure: Structure) -> dict[int, Meaning]:
    return {first + n: (structure, f"{letter}{n + 1}") for n in range(count)}


def _vertebrae(letter: str, count: int, first: int) -> dict[int, Meaning]:
    return _run(letter, count, first, Structure.VERTEBRA)


def _discs_under(letter: str, count: int, first: int) -> dict[int, Meaning]:
    return _run(letter, count, first, Structure.DISC)


# 63 is C2/C3, 71 is C7/T1, 91 is T12/L1, 95 is L4/L5 and 100 is L5/S1.
_TOTALSPINESEG_DISCS = {
    **{62 + n: (Structure.DISC, f"C{n + 1}") for n in range(1, 6)},
    71: (Structure.DISC, "C7"),
    **_discs_under("T", 11, 72),
    91: (Structure.DISC, "T12"),
    **_discs_under("L", 4, 92),
    100: (Structure.DISC, "L5"),
}
TOTALSPINESEG = ForeignScheme(
    "TotalSpineSeg",
    {
        1: _CANAL,  # the cord lies in the canal, which SPIDER labels whole
        2: _CANAL,
        **_vertebrae("C", 7, 11),
        **_vertebrae("T", 12, 21),
        **_vertebrae("L", 5, 41),
        50: _LEFT_OUT,  # sacrum
        **_TOTALSPINESEG_DISCS,
    },
)

_UPWARD_FROM_L5 = [Numbering().vertebra(n) for n in range(1, 25)]
TOTALSPINESEG_2024 = ForeignScheme(
    "TotalSpineSeg (2024)",
    {
        **{18 + n: (Structure.VERTEBRA, name) for n, name in enumerate(_UPWARD_FROM_L5)},
        92: _LEFT_OUT,  # sacrum
        200: _CANAL,
        201: _CANAL,
        **{202 + n: (Structure.DISC, name) for n, name in enumerate(_UPWARD_FROM_L5[:-1])},
    },
)

_VERSE = {
    **_vertebrae("C", 7, 1),
    **_vertebrae("T", 12, 8),
    **_vertebrae("L", 6, 20),
    28: (Structure.VERTEBRA, "T13"),
}
SPINEPS = ForeignScheme(
    "SPINEPS",
    {
        **_VERSE,
        26: _LEFT_OUT,
        27: _LEFT_OUT,
        **{100 + n: (Structure.DISC, name) for n, (_, name) in _VERSE.items()},
        **{200 + n: meaning for n, meaning in _VERSE.items()},  # endplates belong to their vertebra
        126: _LEFT_OUT,
        226: _LEFT_OUT,
    },
)
SPINEPS_REGIONS = ForeignScheme(
    "SPINEPS (regions)",
    {
        **{n: (Structure.VERTEBRA, "") for n in (*range(41, 51), 62)},
        26: _LEFT_OUT,
        60: _CANAL,
        61: _CANAL,
        100: (Structure.DISC, ""),
    },
    "structures",
)


def recognise(values: set[int]) -> ForeignScheme | None:
    """The tool whose numbers these are, if they can be no other's.

    Parameters
    ----------
    values
        The numbers in a label file, background left out.

    Examples
    --------
    >>> recognise({2, 44, 45, 50, 95, 100}).title, recognise({1, 2, 100, 201, 202}) is None
    ('TotalSpineSeg', True)
    """
    if not values:
        return None
    if values <= set(SPINEPS_REGIONS.meanings) and values & {60, 61} and values & set(range(41, 51)):
        return SPINEPS_REGIONS
    if values <= set(TOTALSPINESEG.meanings):
        discs = values & (set(_TOTALSPINESEG_DISCS) - {100})
        return TOTALSPINESEG if discs and values & {50, *range(21, 33), *range(41, 46)} else None
    if values <= set(TOTALSPINESEG_2024.meanings) and values & {92, 200}:
        return TOTALSPINESEG_2024
    # SPIDER's 101-125 replace a vertebra's number; SPINEPS's discs stand beside it.
    pairs = {n for n in values if n < 29 and n + 100 in values}
    if (
        values <= set(SPINEPS.meanings)
        and 100 not in values
        and len(pairs) >= 2
        and not values & set(range(1, 5))
    ):
        return SPINEPS
    return None


def translate(
    labels: np.ndarray, values: Iterable[int], foreign: ForeignScheme
) -> tuple[np.ndarray, Numbering]:
    """`labels` (uint16, holding `values`) in our numbers, and the numbering of this spine.

    Numbers of `foreign` without a counterpart (the sacrum) become background.
    """
    values = list(values)
    names = {foreign.meanings[v][1] for v in values if v in foreign.meanings}
    numbering = Numbering(lumbar=6 if "L6" in names else 5, thoracic=13 if "T13" in names else 12)
    table = np.zeros(65536, np.uint16)
    for value in values:
        table[value] = _label(foreign.meanings.get(value, _LEFT_OUT), numbering, foreign.scheme)
    return table[labels], numbering


def _label(meaning: Meaning, numbering: Numbering, scheme: Scheme) -> int:
    structure, vertebra = meaning
    if scheme == "structures":
        return int(structure)
    if structure is Structure.CANAL:
        return CANAL_LABEL
    if structure is Structure.VERTEBRA:
        return numbering.label(vertebra)
    if structure is Structure.DISC:
        return numbering.label(vertebra) + FIRST_DISC_LABEL - 1
    return 0


PARTLY_VISIBLE = range(101, 126)
"""SPIDER's numbers for vertebrae cut by the edge of the image: 100 more than the whole one's."""


def merge_partly_visible(labels: np.ndarray) -> np.ndarray:
    """SPIDER labels with 101-125 brought back to 1-25."""
    partial = (labels >= PARTLY_VISIBLE.start) & (labels < PARTLY_VISIBLE.stop)
    return np.where(partial, labels - 100, labels).astype(labels.dtype)
