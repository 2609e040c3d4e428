"""Rules of anatomy that a segmentation may break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cc3d
import numpy as np

from napari_spineseg.anatomy import (
    CANAL_LABEL,
    FIRST_DISC_LABEL,
    Numbering,
    Scheme,
    Structure,
    names_of,
    structure_of,
)
from napari_spineseg.corrections.doubt.place import Doubt
from napari_spineseg.corrections.edit import Spacing, boxes_of
from napari_spineseg.grid import Box

# A level this much larger or smaller than its neighbours is out of line.
_OUT_OF_LINE = {Structure.VERTEBRA: 1.5, Structure.DISC: 2.0}
# How far, mm, the next body may be from a disc.
_CONTACT_MM = 5.0
_WRONG_CONTACT = 0.5
_SMALLEST_PIECE_ML = 0.05
_SHORTEST_GAP_MM = 2.0
# On a slice that holds less than this share of what both neighbours hold, something is missing.
_DIP = 0.5
_LEAST_DIP_ML = 0.05


@dataclass
class Part:
    """One label of the segmentation."""

    label: int
    box: Box
    mask: np.ndarray
    spacing: Spacing

    @property
    def voxel_ml(self) -> float:
        """ml."""
        return float(np.prod(self.spacing)) / 1000.0

    @cached_property
    def volume(self) -> float:
        """ml."""
        return np.count_nonzero(self.mask) * self.voxel_ml

    @cached_property
    def centre(self) -> tuple[float, float, float]:
        """Index of its middle."""
        return self.middle_of(self.mask)

    def middle_of(self, mask: np.ndarray) -> tuple[float, float, float]:
        """Index of the voxel in the middle of a part of it.

        A vertebra's centre of mass may lie in the canal, which it surrounds: the voxel nearest to it counts.
        """
        inside = np.argwhere(mask)
        away = ((inside - inside.mean(0)) * np.asarray(self.spacing)) ** 2
        nearest = inside[away.sum(1).argmin()]
        return tuple(float(at) + span.start for at, span in zip(nearest, self.box, strict=True))

    @cached_property
    def pieces(self) -> list[np.ndarray]:
        """Masks of its connected pieces, largest first."""
        found = cc3d.connected_components(self.mask, connectivity=26)
        sizes = np.bincount(found.ravel())
        sizes[0] = 0
        return [found == n for n in np.argsort(-sizes, kind="stable") if sizes[n]]


@dataclass
class Column:
    """What the rules look at."""

    labels: np.ndarray
    spacing: Spacing
    numbering: Numbering
    scheme: Scheme
    parts: dict[int, Part]

    def of(self, structure: Structure) -> dict[int, Part]:
        """Parts of a structure by level, 1 for the lowest (the canal and tumours by label)."""
        first = FIRST_DISC_LABEL - 1 if structure is Structure.DISC else 0
        return {n - first: part for n, part in sorted(self.parts.items()) if structure_of(n) is structure}

    def cut(self, part: Part) -> bool:
        """Whether the upper or lower border of the scan cuts it, so that its shape says nothing."""
        return part.box[1].start == 0 or part.box[1].stop == self.labels.shape[1]

    def name(self, label: int) -> str:
        """As a person reads it."""
        return names_of([label], self.scheme, self.numbering)[label]


def broken_rules(labels: np.ndarray, spacing: Spacing, numbering: Numbering, scheme: Scheme) -> list[Doubt]:
    """Every rule that is broken, in no order. Parameters are those of `find_doubts`."""
    parts = {n: Part(n, box, labels[box] == n, spacing) for n, box in boxes_of(labels).items()}
    column = Column(labels, spacing, numbering, scheme, parts)
    rules = LEVEL_RULES + SHAPE_RULES if scheme == "levels" else SHAPE_RULES
    return [doubt for rule in rules for doubt in rule(column)]


def _missing_vertebra(column: Column) -> Iterator[Doubt]:
    found = column.of(Structure.VERTEBRA)
    for level in range(min(found, default=0), max(found, default=0)):
        if level not in found:
            below, above = max(n for n in found if n < level), min(n for n in found if n > level)
            point = _between(found[below], found[above])
            volume = (found[below].volume + found[above].volume) / 2
            words = f"{column.name(level)} is missing between {column.name(below)} and {column.name(above)}"
            yield Doubt("gap", words, point, level, volume)


def _missing_disc(column: Column) -> Iterator[Doubt]:
    bodies, discs = column.of(Structure.VERTEBRA), column.of(Structure.DISC)
    usual = float(np.median([d.volume for d in discs.values()])) if discs else 5.0
    for level in bodies:
        if level > 1 and level - 1 in bodies and level not in discs and not column.cut(bodies[level]):
            point = _between(bodies[level - 1], bodies[level])
            words = f"No disc between {column.name(level)} and {column.name(level - 1)}"
            yield Doubt("gap", words, point, FIRST_DISC_LABEL + level - 1, usual)


def _doubled(column: Column) -> Iterator[Doubt]:
    """A second piece of a level that lies above or below the first, not beside it."""
    for structure in (Structure.VERTEBRA, Structure.DISC):
        for part in column.of(structure).values():
            if len(part.pieces) < 2:
                continue
            rows = np.flatnonzero(part.pieces[0].any((0, 2)))
            for piece in part.pieces[1:]:
                where = part.middle_of(piece)
                row = where[1] - part.box[1].start
                volume = np.count_nonzero(piece) * part.voxel_ml
                if volume >= _SMALLEST_PIECE_ML and not rows[0] <= row <= rows[-1]:
                    far = min(abs(row - rows[0]), abs(row - rows[-1])) * column.spacing[1]
                    if far > 0.5 * len(rows) * column.spacing[1]:
                        words = f"{column.name(part.label)} is there twice"
                        yield Doubt("doubled", words, where, part.label, volume)


def _wrong_contact(column: Column) -> Iterator[Doubt]:
    for level, disc in column.of(Structure.DISC).items():
        for side, expected in ((-1, level), (1, level - 1)):
            seen = _next_bodies(column.labels, disc, side)
            if not seen or expected < 1:
                continue
            most = max(seen, key=seen.get)
            if most != expected and seen[most] > _WRONG_CONTACT * sum(seen.values()):
                where = "above" if side < 0 else "below"
                words = f"{column.name(disc.label)} has {column.name(most)} {where} it"
                yield Doubt("contact", words, disc.centre, disc.label, disc.volume)


def _next_bodies(labels: np.ndarray, disc: Part, side: int) -> dict[int, int]:
    """How often each vertebra is the next label above (-1) or below (1) the disc, within a few mm."""
    inside = disc.mask.any(1)
    rows = disc.mask.argmax(1) if side < 0 else disc.mask.shape[1] - 1 - disc.mask[:, ::-1].argmax(1)
    slices, columns = np.nonzero(inside)
    rows = rows[slices, columns] + disc.box[1].start
    slices, columns = slices + disc.box[0].start, columns + disc.box[2].start
    met = np.zeros(len(rows), labels.dtype)
    for step in range(1, int(_CONTACT_MM / disc.spacing[1]) + 1):
        at = rows + side * step
        there = (at >= 0) & (at < labels.shape[1]) & (met == 0)
        met[there] = labels[slices[there], at[there], columns[there]]
    values, counts = np.unique(met, return_counts=True)
    return {
        int(v): int(n)
        for v, n in zip(values, counts, strict=True)
        if structure_of(int(v)) is Structure.VERTEBRA
    }


def _out_of_line(column: Column) -> Iterator[Doubt]:
    for structure, limit in _OUT_OF_LINE.items():
        parts = column.of(structure)
        for level, part in parts.items():
            near = [parts[n].volume for n in range(level - 2, level + 3) if n != level and n in parts]
            if len(near) < 2 or column.cut(part):
                continue
            usual = float(np.median(near))
            ratio = part.volume / usual
            if not 1 / limit < ratio < limit:
                words = (
                    f"{column.name(part.label)} is {'larger' if ratio > 1 else 'smaller'} than its neighbours"
                )
                yield Doubt("volume", words, part.centre, part.label, abs(part.volume - usual))


def _out_of_order(column: Column) -> Iterator[Doubt]:
    for structure in (Structure.VERTEBRA, Structure.DISC):
        parts = column.of(structure)
        for level, part in parts.items():
            if level + 1 in parts and parts[level + 1].centre[1] >= part.centre[1]:
                words = f"{column.name(parts[level + 1].label)} lies below {column.name(part.label)}"
                yield Doubt("order", words, part.centre, part.label, part.volume)


def _interrupted_canal(column: Column) -> Iterator[Doubt]:
    label = CANAL_LABEL if column.scheme == "levels" else int(Structure.CANAL)
    canal = column.parts.get(label)
    if canal is None:
        return
    areas = canal.mask.sum((0, 2))
    empty = np.flatnonzero(areas == 0)
    usual = float(np.median(areas[areas > 0])) * canal.voxel_ml
    for run in np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1):
        if len(run) * column.spacing[1] >= _SHORTEST_GAP_MM:
            ends = [canal.mask[:, row] for row in (run[0] - 1, run[-1] + 1)]
            middles = np.mean([[axis.mean() for axis in np.nonzero(end)] for end in ends], 0)
            row = float(run.mean()) + canal.box[1].start
            point = (middles[0] + canal.box[0].start, row, middles[1] + canal.box[2].start)
            mm = len(run) * column.spacing[1]
            yield Doubt("canal", f"The canal is interrupted for {mm:.0f} mm", point, label, len(run) * usual)


def _loose_pieces(column: Column) -> Iterator[Doubt]:
    """Of discs and canal; the posterior parts of a vertebra are often loose in a thin slab."""
    for part in column.parts.values():
        kind = structure_of(part.label) if column.scheme == "levels" else part.label
        for piece in part.pieces[1:] if kind in (Structure.DISC, Structure.CANAL) else []:
            volume = np.count_nonzero(piece) * part.voxel_ml
            # Pieces of a canal in other rows are its interruptions, and said as such.
            if volume >= _SMALLEST_PIECE_ML and (kind == Structure.DISC or _beside(part, piece)):
                words = f"A loose piece of {column.name(part.label)}"
                yield Doubt("piece", words, part.middle_of(piece), part.label, volume)


def _beside(part: Part, piece: np.ndarray) -> bool:
    return bool((part.pieces[0].any((0, 2)) & piece.any((0, 2))).any())


def _missing_on_a_slice(column: Column) -> Iterator[Doubt]:
    for part in column.parts.values():
        # The canal always leaves the picture; of anything else only a sliver may be left at the border.
        if column.cut(part) and structure_of(part.label) is not Structure.CANAL:
            continue
        areas = part.mask.sum((1, 2)) * part.voxel_ml
        for n in range(1, len(areas) - 1):
            expected = min(areas[n - 1], areas[n + 1])
            if areas[n] < _DIP * expected and expected - areas[n] > _LEAST_DIP_ML:
                where = part.middle_of(part.mask & (np.arange(len(areas))[:, None, None] == n - 1))
                point = (float(n + part.box[0].start), *where[1:])
                words = f"{column.name(part.label)} is cut short on one slice"
                yield Doubt("slice", words, point, part.label, float(expected - areas[n]))


def _between(first: Part, second: Part) -> tuple[float, float, float]:
    return tuple((a + b) / 2 for a, b in zip(first.centre, second.centre, strict=True))


Rule = Callable[[Column], Iterator[Doubt]]
LEVEL_RULES: tuple[Rule, ...] = (
    _missing_vertebra,
    _missing_disc,
    _doubled,
    _wrong_contact,
    _out_of_line,
    _out_of_order,
)
SHAPE_RULES: tuple[Rule, ...] = (_interrupted_canal, _loose_pieces, _missing_on_a_slice)
