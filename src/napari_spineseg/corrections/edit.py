"""A change of labels as a value: which voxels, and what they become.

Tools return an `Edit` and leave the labels alone. Whoever called decides how to apply it (as one
step of napari's undo history, or straight into an array), and a volume of 100 x 512 x 512 is never
copied for a change of a few thousand voxels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cc3d
import numpy as np

from napari_spineseg.grid import Box, grown

Spacing = tuple[float, float, float]
"""Voxel size along the axes of the labels, mm."""


@dataclass(frozen=True, eq=False)
class Edit:
    """New values for some voxels.

    Attributes
    ----------
    index
        Three (n,) int32 arrays: where, along each axis. No voxel occurs twice.
    values
        (n,) uint16: what each becomes.
    words
        What was done, for the person: "Filled 4 slices of L3".
    """

    index: tuple[np.ndarray, np.ndarray, np.ndarray]
    values: np.ndarray
    words: str = ""

    def __len__(self) -> int:
        """How many voxels change."""
        return len(self.values)

    @property
    def box(self) -> Box | None:
        """The smallest box around the change; None if there is none."""
        if not len(self):
            return None
        return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in self.index)

    def apply(self, labels: np.ndarray) -> Edit:
        """Write the change into `labels` and return the edit that takes it back."""
        before = labels[self.index].astype(np.uint16)
        labels[self.index] = self.values
        return Edit(self.index, before, f"Took back: {self.words}")

    def saying(self, words: str) -> Edit:
        """The same change in other words."""
        return Edit(self.index, self.values, words)


def nothing(words: str) -> Edit:
    """An edit that changes nothing, and says why."""
    empty = np.zeros(0, np.int32)
    return Edit((empty, empty, empty), np.zeros(0, np.uint16), words)


def edit_where(mask: np.ndarray, value: int, box: Box, words: str = "") -> Edit:
    """The voxels of `mask`, which has the shape of `box`, become `value`."""
    index = _index(mask, box)
    return Edit(index, np.full(len(index[0]), value, np.uint16), words)


def edit_to(before: np.ndarray, after: np.ndarray, box: Box, words: str = "") -> Edit:
    """Whatever differs between two versions of what is in `box`."""
    mask = before != after
    return Edit(_index(mask, box), after[mask].astype(np.uint16), words)


def join(edits: Iterable[Edit], words: str = "") -> Edit:
    """Several edits that share no voxel, as one."""
    parts = [edit for edit in edits if len(edit)]
    if not parts:
        return nothing(words)
    index = tuple(np.concatenate([part.index[axis] for part in parts]) for axis in range(3))
    return Edit(index, np.concatenate([part.values for part in parts]), words)


def edit_by_table(labels: np.ndarray, table: dict[int, int], words: str = "") -> Edit:
    """Every voxel with one of some labels gets another label: `{old: new}`."""
    lookup = np.arange(65536, dtype=np.uint16)
    lookup[list(table)] = list(table.values())
    box = used_box(labels)
    if box is None:
        return nothing(words)
    parts = []
    # Plane by plane: a mapped copy of the whole volume would double the memory.
    for number in range(box[0].start, box[0].stop):
        before = labels[(slice(number, number + 1), *box[1:])]
        after = lookup[before]
        if not np.array_equal(after, before):
            parts.append(edit_to(before, after, (slice(number, number + 1), *box[1:])))
    return join(parts, words)


def box_of(labels: np.ndarray, label: int, margin: Iterable[int] = (0, 0, 0)) -> Box | None:
    """The smallest box around `label`, with some voxels more along each axis; None if it is nowhere."""
    box = _box(labels.shape, ((plane == label) for plane in labels))
    if box is None:
        return None
    return grown(box, margin, labels.shape)


def used_box(labels: np.ndarray) -> Box | None:
    """The smallest box around everything that is labelled."""
    return _box(labels.shape, iter(labels))


def boxes_of(labels: np.ndarray) -> dict[int, Box]:
    """The smallest box around every label that is there, background left out, in one pass."""
    used = used_box(labels)
    if used is None:
        return {}
    part = np.ascontiguousarray(labels[used])
    if part.size <= part.max():  # cc3d counts no number that is larger than the volume has voxels
        return {int(n): _within(used, box_of(part, int(n))) for n in np.unique(part[part > 0])}
    found = cc3d.statistics(part, no_slice_conversion=True)
    counts, corners = found["voxel_counts"], found["bounding_boxes"]
    origin = np.array([span.start for span in used])
    out = {}
    for label in np.flatnonzero(counts[1:]) + 1:
        low, high = corners[label][0::2] + origin, corners[label][1::2] + origin + 1
        out[int(label)] = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
    return out


def margin_of(reach_mm: float, spacing: Spacing) -> tuple[int, int, int]:
    """How many voxels `reach_mm` are along each axis, with one to spare."""
    return tuple(int(np.ceil(reach_mm / step)) + 1 for step in spacing)


def _within(outer: Box, box: Box) -> Box:
    """A box of the part that `outer` cuts out, in the whole."""
    return tuple(slice(b.start + o.start, b.stop + o.start) for b, o in zip(box, outer, strict=True))


def _box(shape: tuple[int, int, int], planes: Iterator[np.ndarray]) -> Box | None:
    """The box around what is not zero, seen plane by plane: a mask of the volume would be large."""
    used = [np.zeros(size, bool) for size in shape]
    for number, plane in enumerate(planes):
        in_rows = plane.any(1)
        if in_rows.any():
            used[0][number] = True
            used[1] |= in_rows
            used[2] |= plane.any(0)
    if not used[0].any():
        return None
    spans = (np.flatnonzero(axis) for axis in used)
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)


def _index(mask: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # 32 bits halve what an undo history of many large edits holds.
    return tuple(
        (axis + span.start).astype(np.int32) for axis, span in zip(np.nonzero(mask), box, strict=True)
    )
