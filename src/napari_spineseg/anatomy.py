"""Structures, levels, their names, numbers and colours: said once, used everywhere.

Numbers follow SPIDER (van der Graaf et al., Scientific Data 2024), the `levels` scheme:
1 = L5 and upward for vertebrae, 100 = spinal canal, 201 = disc L5/S1 and upward,
301 and upward = tumours. The `structures` scheme is 1 vertebra, 2 disc, 3 canal, 4 tumour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

Scheme = Literal["levels", "structures"]

CANAL_LABEL = 100
FIRST_DISC_LABEL = 201
FIRST_TUMOUR_LABEL = 301
MOST_LEVELS = 25
"""SPIDER numbers 25 vertebrae (1 to 25) and the disc below each (201 to 225); 26 to 99 name none."""
# There is room for as many tumours as a scan may hold.
_MOST_TUMOURS = 99


class Structure(IntEnum):
    """What a voxel is. The numbers are those of the `structures` scheme and of the networks."""

    BACKGROUND = 0
    VERTEBRA = 1
    DISC = 2
    CANAL = 3
    TUMOUR = 4

    @property
    def title(self) -> str:
        """The name as a person reads it."""
        return "spinal canal" if self is Structure.CANAL else self.name.lower()

    @classmethod
    def named(cls, name: str) -> Structure | None:
        """The structure that a model's card calls `name`; None if there is no such structure.

        >>> Structure.named("canal") is Structure.named("spinal canal") is Structure.CANAL
        True
        """
        return next((s for s in cls if name in (s.title, s.name.lower())), None)


def structure_of(label: int, scheme: Scheme = "levels") -> Structure:
    """The structure that a label belongs to (`BACKGROUND` for a stray number).

    >>> structure_of(3).title, structure_of(100).title, structure_of(201).title
    ('vertebra', 'spinal canal', 'disc')
    >>> structure_of(26).title, structure_of(150).title
    ('background', 'background')
    >>> structure_of(3, "structures").title, structure_of(100, "structures").title
    ('spinal canal', 'background')
    """
    if scheme == "structures":
        return Structure(label) if label in Structure._value2member_map_ else Structure.BACKGROUND
    if label == CANAL_LABEL:
        return Structure.CANAL
    if 1 <= label <= MOST_LEVELS:
        return Structure.VERTEBRA
    if FIRST_DISC_LABEL <= label < FIRST_DISC_LABEL + MOST_LEVELS:
        return Structure.DISC
    if FIRST_TUMOUR_LABEL <= label < FIRST_TUMOUR_LABEL + _MOST_TUMOURS:
        return Structure.TUMOUR
    return Structure.BACKGROUND


def levels_to_structures(labels: np.ndarray) -> np.ndarray:
    """Map a `levels` array to the `structures` scheme, uint8, same shape.

    Labels outside the scheme become background.
    """
    table = np.zeros(FIRST_TUMOUR_LABEL + _MOST_TUMOURS, np.uint8)
    for label in range(len(table)):
        table[label] = structure_of(label)
    inside = (labels >= 0) & (labels < len(table))
    return np.where(inside, table[np.where(inside, labels, 0)], np.uint8(0))


@dataclass(frozen=True)
class Numbering:
    """How SPIDER numbers translate to names in one person's spine.

    SPIDER counts upward from the lowest lumbar vertebra, whatever it is called. `lumbar` is
    the number of lumbar vertebrae (4, 5 or 6) and `thoracic` that of thoracic ones (11 to 13).
    """

    lumbar: int = 5
    thoracic: int = 12

    def vertebra(self, label: int) -> str:
        """Name of vertebra `label` (1 = lowest lumbar): "L5", "T12", "C7"; beyond C1 its number.

        >>> Numbering().vertebra(1), Numbering().vertebra(6), Numbering(lumbar=6).vertebra(1)
        ('L5', 'T12', 'L6')
        >>> Numbering().vertebra(77)
        'vertebra 77'
        """
        above = label
        for letter, count in (("L", self.lumbar), ("T", self.thoracic), ("C", 7)):
            if above <= count:
                return f"{letter}{count - above + 1}" if above >= 1 else "S1"
            above -= count
        return f"vertebra {label}"

    def disc(self, label: int) -> str:
        """Name of the disc below vertebra `label - 200`: "L5/S1", "L4/L5", "T12/L1"."""
        above = label - FIRST_DISC_LABEL + 1
        return f"{self.vertebra(above)}/{self.vertebra(above - 1)}"

    def name(self, label: int) -> str:
        """Name of any `levels` label.

        >>> [Numbering().name(n) for n in (0, 5, 100, 201, 206, 301)]
        ['background', 'L1', 'spinal canal', 'L5/S1', 'T12/L1', 'tumour 1']
        """
        structure = structure_of(label)
        if structure is Structure.VERTEBRA:
            return self.vertebra(label)
        if structure is Structure.DISC:
            return self.disc(label)
        if structure is Structure.TUMOUR:
            return f"tumour {label - FIRST_TUMOUR_LABEL + 1}"
        if label and structure is Structure.BACKGROUND:
            return f"label {label}"
        return structure.title

    def label(self, name: str) -> int:
        """The number of a vertebra or disc name, the inverse of `name`.

        Raises
        ------
        KeyError
            If no level of this spine has that name.
        """
        vertebrae, discs = range(1, MOST_LEVELS + 1), range(FIRST_DISC_LABEL, FIRST_DISC_LABEL + MOST_LEVELS)
        for label in (*vertebrae, *discs, CANAL_LABEL):
            if self.name(label) == name:
                return label
        raise KeyError(f"{name} is not a level of a spine with {self.lumbar} lumbar vertebrae")


STRUCTURE_COLOURS: dict[Structure, str] = {
    Structure.VERTEBRA: "#0072b2",
    Structure.DISC: "#e69f00",
    Structure.CANAL: "#009e73",
    Structure.TUMOUR: "#d55e00",
}
"""Okabe and Ito's colour-blind safe set."""

# Okabe and Ito's blue, orange and yellow, and others of their families. Levels that touch (a vertebra and the
# next, a vertebra and its discs, a disc and the next) and the canal are at least 38 (CIE Lab) apart, 22 where
# red or green is not seen, 12 where blue is not. Only orange and yellow are nearer: 35, and 17 without green.
_VERTEBRA_COLOURS = ("#0072b2", "#88ccee", "#332288", "#6699cc", "#772277", "#8866ff")
_DISC_COLOURS = ("#e69f00", "#f0e442", "#aa6699", "#ddcc77", "#eeff00", "#ffbbcc")
# Searched for, not chosen by eye: each is at least 29 (CIE Lab) from every other tumour and from all colours
# above, neighbours in number at least 55, and 15 where red, green or blue is not seen. None is as dark or as
# grey as a scan. Vertebrae and discs have their order to be told by; a tumour has its colour alone.
_TUMOUR_COLOURS = (
    "#d55e00",
    "#6600ff",
    "#aaeeaa",
    "#9999ff",
    "#aa0055",
    "#774400",
    "#ee3344",
    "#9900cc",
)


def colour_of(label: int, scheme: Scheme = "levels") -> str:
    """Colour of a label as "#rrggbb"; the same in layers, legends, tables and exports."""
    structure = structure_of(label) if scheme == "levels" else Structure(min(label, 4))
    if scheme == "structures" or structure is Structure.CANAL:
        return STRUCTURE_COLOURS.get(structure, "#000000")
    first, colours = {
        Structure.VERTEBRA: (1, _VERTEBRA_COLOURS),
        Structure.DISC: (FIRST_DISC_LABEL, _DISC_COLOURS),
        Structure.TUMOUR: (FIRST_TUMOUR_LABEL, _TUMOUR_COLOURS),
    }.get(structure, (0, ("#999999",)))
    return colours[(label - first) % len(colours)]


def names_of(labels: Iterable[int], scheme: Scheme, numbering: Numbering) -> dict[int, str]:
    """Names for the labels of a segmentation in either scheme."""
    if scheme == "structures":
        return {
            int(n): Structure(n).title if n in Structure._value2member_map_ else f"label {n}" for n in labels
        }
    return {int(n): numbering.name(int(n)) for n in labels}
