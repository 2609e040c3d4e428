"""What can be wrong with the labels of one scan. Each check is a function that yields findings.

Labels are looked at in the sagittal view: `labels: (slices, rows down, columns to the back)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cc3d
import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import (
    CANAL_LABEL,
    FIRST_DISC_LABEL,
    Numbering,
    Scheme,
    Structure,
    levels_to_structures,
    structure_of,
)
from napari_spineseg.datasets.findings import Finding
from napari_spineseg.scan import Scan, Segmentation

Place = tuple[int, int, int]

# Pieces of a label below this are islands: slips of a brush, not anatomy.
ISLAND_ML = 0.05
# And they are less than this share of what the label has.
_ISLAND_SHARE = 0.02
# A stray number with as much as this was drawn as something, ml: a person has to say as what.
_SLIP_ML = 0.5
_EDGES = {
    "left": np.s_[0],
    "right": np.s_[-1],
    "top": np.s_[:, 0],
    "bottom": np.s_[:, -1],
    "front": np.s_[:, :, 0],
    "back": np.s_[:, :, -1],
}
# A disc's centre may be this much further from its two vertebrae than half their distance.
_SLACK_MM = 8.0


@dataclass(frozen=True)
class Looked:
    """One case, read and turned.

    Attributes
    ----------
    labels
        (slices, height, width) in the sagittal view.
    spacing
        mm along its axes.
    image
        The image on the same axes, or None.
    """

    name: str
    labels: np.ndarray
    spacing: tuple[float, float, float]
    scheme: Scheme
    numbering: Numbering
    image: np.ndarray | None = None

    @classmethod
    def at(cls, segmentation: Segmentation, scan: Scan | None = None) -> Looked:
        """Labels, and the scan where it is on their grid."""
        turn = segmentation.grid.to_orientation()
        fits = scan is not None and scan.grid.same_place_as(segmentation.grid, 0.05)
        return cls(
            segmentation.name,
            np.ascontiguousarray(turn.apply(segmentation.labels)),
            turn.grid.spacing,
            segmentation.scheme,
            segmentation.numbering,
            turn.apply(scan.voxels) if fits else None,
        )

    @cached_property
    def counts(self) -> dict[int, int]:
        """Voxels of each label."""
        values, counts = np.unique(self.labels, return_counts=True)
        return {int(v): int(n) for v, n in zip(values, counts, strict=True) if v}

    @cached_property
    def structures(self) -> np.ndarray:
        """The labels in the `structures` scheme, uint8."""
        if self.scheme == "structures":
            return np.where(self.labels <= 4, self.labels, 0).astype(np.uint8)
        return levels_to_structures(self.labels)

    @cached_property
    def centres(self) -> dict[int, np.ndarray]:
        """(3,) mm: centre of each label in the sagittal view."""
        names = list(self.counts)
        found = ndimage.center_of_mass(np.ones(self.labels.shape, np.uint8), self.labels, names)
        return {n: np.multiply(c, self.spacing) for n, c in zip(names, found, strict=True)}

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing)) / 1000

    def say(self, label: int) -> str:
        """A label's number and name."""
        if self.scheme == "structures":
            return Structure(label).title if 1 <= label <= 4 else str(label)
        return f"{label} ({self.numbering.name(label)})"

    def finding(self, check: str, weight: str, sentence: str, **more: object) -> Finding:
        """A finding about this case."""
        return Finding(self.name, check, weight, sentence, **more)


def stray_labels(case: Looked) -> Iterator[Finding]:
    """Numbers that the scheme does not have."""
    known = (lambda n: 1 <= n <= 4) if case.scheme == "structures" else (lambda n: bool(structure_of(n)))
    for label, voxels in case.counts.items():
        if not known(label):
            yield case.finding(
                "stray labels",
                "error",
                f"The number {label} ({voxels} voxels) is not in the scheme {case.scheme}.",
                place=place_of(case.labels == label),
                labels=(label,),
                repairable=voxels * case.voxel_ml < _SLIP_ML,
            )


def missing_structures(case: Looked) -> Iterator[Finding]:
    """No vertebra, disc or canal at all; slices between labelled ones that hold nothing."""
    present = set(np.unique(case.structures))
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL):
        if structure not in present:
            yield case.finding(
                "missing structures", "warning", f"There is no {structure.title} in this scan."
            )
    labelled = case.structures.any((1, 2))
    inside = np.flatnonzero(labelled)
    if not len(inside):
        return
    empty = [int(n) for n in range(inside[0], inside[-1]) if not labelled[n]]
    if empty:
        slices = ", ".join(map(str, empty[:6]))
        middle = (empty[0], case.labels.shape[1] // 2, case.labels.shape[2] // 2)
        yield case.finding(
            "missing structures",
            "warning",
            f"Between labelled slices, {len(empty)} hold no labels at all ({slices}).",
            place=middle,
        )


def islands(case: Looked) -> Iterator[Finding]:
    """Small pieces away from the rest of their label."""
    pieces, small = island_pieces(case)
    for label, numbers in small.items():
        mask = np.isin(pieces, numbers)
        yield case.finding(
            "islands",
            "warning",
            f"{case.say(label)} has {len(numbers)} small piece{'s' if len(numbers) > 1 else ''} away from "
            f"the rest ({mask.sum() * case.voxel_ml * 1000:.0f} mm³ in all).",
            place=place_of(pieces == numbers[0]),
            labels=(label,),
            repairable=True,
        )


def island_pieces(case: Looked) -> tuple[np.ndarray, dict[int, list[int]]]:
    """The labels' connected pieces, numbered, and the numbers of each label's islands, largest first."""
    pieces = cc3d.connected_components(case.labels, connectivity=26)
    numbers, first, sizes = np.unique(pieces, return_index=True, return_counts=True)
    labels = case.labels.ravel()[first]
    found: dict[int, list[int]] = {}
    for n in np.argsort(-sizes):
        label, size = int(labels[n]), int(sizes[n])
        if label and size * case.voxel_ml < ISLAND_ML and size < _ISLAND_SHARE * case.counts[label]:
            found.setdefault(label, []).append(int(numbers[n]))
    return pieces, found


def level_order(case: Looked) -> Iterator[Finding]:
    """Vertebrae counted upward without gaps, each disc under its vertebra."""
    if case.scheme != "levels":
        return
    vertebrae = sorted(n for n in case.counts if structure_of(n) is Structure.VERTEBRA)
    height = {n: -case.centres[n][1] for n in case.counts}
    for lower, upper in pairwise(vertebrae):
        if height[upper] <= height[lower]:
            yield case.finding(
                "level order",
                "error",
                f"{case.say(upper)} lies below {case.say(lower)}; numbers count upward.",
                place=_voxel(case, upper),
                labels=(lower, upper),
            )
        if upper != lower + 1:
            gap = ", ".join(case.say(n) for n in range(lower + 1, upper))
            yield case.finding(
                "level order",
                "warning",
                f"Between {case.say(lower)} and {case.say(upper)} there is no {gap}.",
                place=_voxel(case, lower),
                labels=(lower, upper),
            )
    yield from _discs_out_of_place(case, height)


def _discs_out_of_place(case: Looked, height: dict[int, float]) -> Iterator[Finding]:
    # Of a vertebra that the picture cuts, what is left may be a spinous process far below its body.
    cut = {int(n) for edge in ("top", "bottom") for n in np.unique(case.labels[_EDGES[edge]])}
    height = {n: mm for n, mm in height.items() if n not in cut or structure_of(n) is Structure.DISC}
    for disc in (n for n in case.counts if structure_of(n) is Structure.DISC):
        above = disc - FIRST_DISC_LABEL + 1
        wrong = (above in height and height[disc] > height[above] + _SLACK_MM) or (
            above - 1 in height and height[disc] < height[above - 1] - _SLACK_MM
        )
        if wrong:
            yield case.finding(
                "level order",
                "error",
                f"{case.say(disc)} does not lie under vertebra {case.say(above)}.",
                place=_voxel(case, disc),
                labels=(disc,),
            )


def touching_the_border(case: Looked) -> Iterator[Finding]:
    """Labels cut by the edge of the picture: expected of the canal at the top and bottom, nowhere else.

    Where the first and the last slice share a label the scan is a slab of the spine: one note.
    """
    canal = int(Structure.CANAL) if case.scheme == "structures" else CANAL_LABEL
    cut = {name: sorted({int(n) for n in np.unique(case.labels[e])} - {0}) for name, e in _EDGES.items()}
    if set(cut["left"]) & set(cut["right"]):
        yield case.finding(
            "touching the border",
            "note",
            "The spine goes on beyond the first and the last slice: this is a slab of it.",
            labels=tuple(cut["left"]),
        )
        cut["left"] = cut["right"] = []
    for name, labels in cut.items():
        ends = name in ("top", "bottom")
        labels = [n for n in labels if not (ends and n == canal)]
        if labels:
            yield case.finding(
                "touching the border",
                "note" if ends else "warning",
                f"{', '.join(map(case.say, labels))}: at the {name} edge of the picture, so perhaps cut off.",
                place=_on_edge(case, _EDGES[name], labels[0]),
                labels=tuple(labels),
            )


def _on_edge(case: Looked, edge: object, label: int) -> Place:
    mask = np.zeros(case.labels.shape, bool)
    mask[edge] = case.labels[edge] == label
    return place_of(mask)


def place_of(mask: np.ndarray) -> Place:
    """A voxel of a mask, in its fullest slice, near the middle of what is there."""
    index = int(mask.sum((1, 2)).argmax())
    rows, columns = np.nonzero(mask[index])
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    return index, int(rows[nearest]), int(columns[nearest])


def _voxel(case: Looked, label: int) -> Place:
    return place_of(case.labels == label)


CHECKS = (stray_labels, missing_structures, islands, level_order, touching_the_border)
"""Every check that one case's labels are put through."""
