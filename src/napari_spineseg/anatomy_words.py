"""What is in a segmentation, in words."""

from __future__ import annotations

from collections.abc import Iterable

from napari_spineseg.anatomy import Numbering, Structure, structure_of


def summarise(labels: Iterable[int], numbering: Numbering = Numbering()) -> str:
    """Say in words what is there.

    >>> summarise([1, 2, 3, 100, 201, 202])
    'L5–L3, 2 discs, spinal canal'
    >>> summarise([1, 3])
    'L5, L3'
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
    return ", ".join(parts) or "nothing found"


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
