"""What is in a segmentation, and the names of levels, in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Numbering, Structure, structure_of

_LEVELS = 30
# Up to T4: above, "T1" and "T2" are more likely to be the sequence than the level.
_NAMED = 14
_NAME = re.compile(r"\b[LTC]\d+(?:/[LTCS]\d+)?\b")


def summarise(
    labels: Iterable[int], numbering: Numbering = Numbering(), possible: Collection[int] = ()
) -> str:
    """Say in words what is there. `possible` are labels that a model took for tumours.

    >>> summarise([1, 2, 3, 100, 201, 202])
    'L5–L3, 2 discs, spinal canal'
    >>> summarise([1, 3])
    'L5, L3'
    >>> summarise([301, 302, 303], possible={302, 303})
    '1 tumour, 2 possible tumours'
    >>> summarise([1, 60])
    'L5, 1 number without a meaning'
    >>> summarise([])
    'nothing found'
    """
    kinds: dict[Structure, list[int]] = {}
    for label in sorted(int(n) for n in labels if n):
        kinds.setdefault(structure_of(label), []).append(label)
    parts = [_span(run, numbering) for run in _runs(kinds.get(Structure.VERTEBRA, []))]
    if discs := len(kinds.get(Structure.DISC, [])):
        parts.append(_counted(discs, Structure.DISC.title))
    if Structure.CANAL in kinds:
        parts.append(Structure.CANAL.title)
    tumours = kinds.get(Structure.TUMOUR, [])
    doubted = sum(label in possible for label in tumours)
    for number, title in ((len(tumours) - doubted, "tumour"), (doubted, "possible tumour")):
        if number:
            parts.append(_counted(number, title))
    if strays := len(kinds.get(Structure.BACKGROUND, [])):
        parts.append(f"{strays} number{'s' if strays > 1 else ''} without a meaning")
    return ", ".join(parts) or "nothing found"


def _counted(number: int, title: str) -> str:
    return f"{number} {title}{'s' if number > 1 else ''}"


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
