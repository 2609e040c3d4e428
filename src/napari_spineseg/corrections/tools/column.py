"""Numbers of the whole column: set one level and the rest follows; make or close a gap.

Vertebra n and the disc below it, 200 + n, always move together.
"""

from __future__ import annotations

import numpy as np

from napari_spineseg.anatomy import FIRST_DISC_LABEL, MOST_LEVELS, Numbering, Structure, structure_of
from napari_spineseg.corrections.edit import Edit, boxes_of, edit_by_table, nothing
from napari_spineseg.errors import SettingsError


def relabel_column(labels: np.ndarray, label: int, name: str, numbering: Numbering = Numbering()) -> Edit:
    """Vertebra (or disc) `label` becomes the one called `name`; all others keep their distance to it.

    What would lie below the lowest lumbar vertebra is sacrum, which the scheme does not number: it
    is erased, and the words of the edit say so.

    Parameters
    ----------
    labels
        (slices, rows, columns), `levels` scheme.
    name
        "L5", "T13", "L4/L5" ..., or "S1" where a sacral segment was numbered as lumbar.
    numbering
        How many lumbar and thoracic vertebrae this spine has: with six lumbar ones the lowest is L6.

    Raises
    ------
    SettingsError
        If this spine has no such level, or `label` is neither vertebra nor disc.
    """
    target = _target(label, name, numbering)
    shift = target - label
    if not shift:
        return nothing(f"It is {name} already.")
    present = _column_labels(labels)
    if max((_level(n) + shift for n in present), default=0) > MOST_LEVELS:
        raise SettingsError("The column would run out of numbers; choose a lower level.")
    table = {n: n + shift if _level(n) + shift >= 1 else 0 for n in present}
    erased = [n for n in present if not table[n]]
    words = f"Renumbered {len(present)} structures."
    if erased:
        names = ", ".join(numbering.name(n) for n in erased)
        words = f"{words[:-1]}; {names} would be sacrum and {'was' if len(erased) == 1 else 'were'} erased."
    return edit_by_table(labels, table, words)


def insert_level(labels: np.ndarray, above: int) -> dict[int, int]:
    """How labels change when a level is put in above vertebra `above`: {old: new} for what is there."""
    return {n: n + 1 for n in _column_labels(labels) if _level(n) > above}


def remove_level(labels: np.ndarray, level: int, into: int) -> Edit:
    """Vertebra `level` becomes part of vertebra `into`, and all above it move down one number.

    The disc between the two is erased: there is none inside of a vertebra.

    Raises
    ------
    SettingsError
        If one of them is no vertebra or they are not neighbours.
    """
    if abs(level - into) != 1 or {structure_of(level), structure_of(into)} != {Structure.VERTEBRA}:
        raise SettingsError("Only neighbouring vertebrae can be merged into one.")
    lower = min(level, into)
    table = {lower + 1: lower, FIRST_DISC_LABEL + lower: 0}
    for n in _column_labels(labels):
        if _level(n) > lower + 1:
            table[n] = n - 1
    return edit_by_table(labels, table, "Merged, and renumbered what lies above.")


def _target(label: int, name: str, numbering: Numbering) -> int:
    """The number that `name` stands for, 0 (or 200) for the sacrum."""
    structure = structure_of(label)
    if structure not in (Structure.VERTEBRA, Structure.DISC):
        raise SettingsError("Only a vertebra or a disc has a level.")
    first = 1 if structure is Structure.VERTEBRA else FIRST_DISC_LABEL
    for offset in range(-1, 30):
        if numbering.name(first + offset) == name or (offset < 0 and name in ("S1", "S1/S2")):
            return first + offset
    raise SettingsError(f"{name} is not a level of a spine with {numbering.lumbar} lumbar vertebrae.")


def _level(label: int) -> int:
    """Of a vertebra or the disc below it, 1 for the lowest."""
    return label if structure_of(label) is Structure.VERTEBRA else label - FIRST_DISC_LABEL + 1


def _column_labels(labels: np.ndarray) -> list[int]:
    """Vertebrae and discs that are there."""
    kinds = (Structure.VERTEBRA, Structure.DISC)
    return [n for n in boxes_of(labels) if structure_of(n) in kinds]
