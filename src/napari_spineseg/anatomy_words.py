"""What is in a segmentation, and the names of levels, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Numbering, Structure, structure_of

_LEVELS = 30
# Up to T4: above, "T1" and "T2" are more likely to be the sequence than the level.
_NAMED = 14
_NAME = re.compile(r"\b[LTC]\d+(?:/[LTCS]\d+)?\b")


def summarise(labels: Iterable[int], numbering: Numbering = Numbering()) -> str:
    """Say in words what is there.

    >>> summarise([1, 2, 3, 100, 201, 202])
    'L5–L3, 2 discs, spinal canal'
    >>> summarise([1, 3])
    'L5, L3'
    >>> summarise([1, 60])
    'L5, 1 number without a meaning'
    >>> summarise([])
    'nothing found'
    """
    kinds: dict[Structure, list[int]] = {}
    for label in sorted(int(n) for n in labels if n):
        kinds.setdefault(structure_of(label), []).append(label)
    parts = [_span(run, numbering) for run in _runs(kinds.get(Structure.VERTEBRA, []))]
    for structure in (Structure.DISC, Structure.TUMOUR):
        if number := len(kinds.get(structure, [])):
            parts.append(f"{number} {structure.title}{'s' if number > 1 else ''}")
    if Structure.CANAL in kinds:
        parts.insert(len(parts) - (Structure.TUMOUR in kinds), Structure.CANAL.title)
    if strays := len(kinds.get(Structure.BACKGROUND, [])):
        parts.append(f"{strays} number{'s' if strays > 1 else ''} without a meaning")
    return ", ".join(parts) or "nothing found"


def renamed(text: str, shift: int, before: Numbering, after: Numbering) -> str:
    """`text` with the names of levels as they are once every number has gone up by `shift`.

    >>> renamed("L5 is painted only in part.", 1, Numbering(), Numbering())
    'L4 is painted only in part.'
    """
    discs = range(FIRST_DISC_LABEL + max(0, -shift), FIRST_DISC_LABEL + _NAMED)
    names = {before.vertebra(n): after.vertebra(n + shift) for n in range(1, _NAMED + 1)}
    names |= {before.disc(n): after.disc(n + shift) for n in discs}
    return _NAME.sub(lambda found: names.get(found.group(), found.group()), text)


def shift_to(label: int, name: str, numbering: Numbering) -> int:
    """By how much numbers go up where `label` is really called `name`; below the lowest is sacrum."""
    first = FIRST_DISC_LABEL if structure_of(label) is Structure.DISC else 1
    names: Sequence[str] = [numbering.name(first + n) for n in range(_LEVELS)]
    return (first + names.index(name) if name in names else first - 1) - label


def _span(run: list[int], numbering: Numbering) -> str:
    lowest, highest = numbering.vertebra(run[0]), numbering.vertebra(run[-1])
    return lowest if lowest == highest else f"{lowest}–{highest}"


def _runs(labels: list[int]) -> list[list[int]]:
    """Split sorted numbers where one is missing."""
    runs: list[list[int]] = []
    for label in labels:
        if runs and label == runs[-1][-1] + 1:
            runs[-1].append(label)
        else:
            runs.append([label])
    return runs
