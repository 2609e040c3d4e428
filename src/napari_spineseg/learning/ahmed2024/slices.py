"""The slices that a reproduction works on, from any form that the data comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_spineseg.datasets.cases import Case, find_cases
from napari_spineseg.datasets.export import ExportSettings, filter_for, slices_of
from napari_spineseg.datasets.prepared import resized, resized_labels
from napari_spineseg.errors import DatasetError
from napari_spineseg.preprocessing.published_slices import to_8_bit
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation

NETWORK_SIZE = (256, 256)
"""(height, width) of the published network's input, pixels."""

STRUCTURES = 4
_FROM_VOLUMES = ExportSettings(filter="published")


@dataclass(frozen=True, eq=False)
class Stack:
    """Neighbouring slices of one scan.

    Attributes
    ----------
    images, structures
        (slices, height, width) uint8, prepared as published: 640 × 512, unless released otherwise.
    chosen
        (slices,) bool: whether a slice passes the published filters. Others are neighbours only.
    numbers
        (slices,) int, how the release numbers them; sagittal index elsewhere.
    spacing
        mm between slices, rows and columns.
    """

    name: str
    patient: str
    split: str
    images: np.ndarray
    structures: np.ndarray
    chosen: np.ndarray
    numbers: np.ndarray
    spacing: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Every chosen slice of every stack, one row a slice.

    Attributes
    ----------
    stack, place
        (n,) int: the stack of each slice, and its index in there.
    images, structures
        (n, 256, 256) uint8, as the published network sees them.
    """

    stacks: Sequence[Stack]
    stack: np.ndarray
    place: np.ndarray
    images: np.ndarray = field(repr=False)
    structures: np.ndarray = field(repr=False)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.stack)

    @property
    def patients(self) -> np.ndarray:
        """(n,) the patient of each slice."""
        return np.array([self.stacks[s].patient for s in self.stack])

    @property
    def splits(self) -> np.ndarray:
        """(n,) what the folder that each slice came from is called: train, val, test or nothing."""
        return np.array([self.stacks[s].split for s in self.stack])

    @property
    def numbers(self) -> np.ndarray:
        """(n,) the number of each slice in its scan."""
        return np.array([self.stacks[s].numbers[p] for s, p in zip(self.stack, self.place, strict=True)])


def read_slices(folder: Path, sequence: str = "all", control: Control = Control()) -> SliceSet:
    """Read SPIDER as downloaded, a PNG release, or a folder that holds such as train, val and test.

    Raises
    ------
    DatasetError
        If there are no labelled scans, or none of that sequence.
    """
    cases = [case for case in find_cases(folder) if _wanted(case, sequence)]
    if not cases:
        raise DatasetError(f"{folder} has no {sequence} scans; --sequence all takes every one.")
    stacks = []
    for done, case in enumerate(cases, start=1):
        stacks.append(_stack(case))
        control.step("Reading slices", done, len(cases))
    return _as_set([s for s in stacks if s.chosen.any()], folder)


def _wanted(case: Case, sequence: str) -> bool:
    plain = case.sequence.lower().replace("-", "_")
    return sequence == "all" or not plain or plain == sequence.lower()


def _stack(case: Case) -> Stack:
    images, structures, spacing = _released(case) if case.slices else _from_volume(case)
    numbers = [s.index for s in case.slices] or range(len(images))
    # Released slices went through the published filters when they were made.
    chosen = np.ones(len(images), bool)
    if not case.slices:
        chosen = filter_for(case, _FROM_VOLUMES).keeps(structures)
    return Stack(
        case.name, case.patient, case.split, images, structures, chosen, np.array(list(numbers)), spacing
    )


def _released(case: Case) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    scan, labels = case.read_scan(), case.read_labels()
    spacing = scan.grid.to_orientation().grid.spacing
    return to_8_bit(scan.sagittal()), _sagittal(labels), tuple(float(mm) for mm in spacing)


def _sagittal(labels: Segmentation) -> np.ndarray:
    """Structures in sagittal orientation."""
    return np.ascontiguousarray(labels.grid.to_orientation().apply(labels.labels)).astype(np.uint8)


def _from_volume(case: Case) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    images, structures = slices_of(case, _FROM_VOLUMES)
    grid = case.read_labels().grid.to_orientation().grid
    spacing = (float(mm) * n / m for mm, n, m in zip(grid.spacing, grid.shape, structures.shape, strict=True))
    return images, structures, tuple(spacing)


def _as_set(stacks: Sequence[Stack], folder: Path) -> SliceSet:
    if not stacks:
        raise DatasetError(
            f"{folder}: no slice has all four classes, so that there is nothing to learn from."
        )
    rows = [(s, int(p)) for s, stack in enumerate(stacks) for p in np.flatnonzero(stack.chosen)]
    stack, place = np.array(rows).T
    images = [resized(s.images[s.chosen], NETWORK_SIZE) for s in stacks]
    structures = [resized_labels(s.structures[s.chosen], NETWORK_SIZE, range(STRUCTURES)) for s in stacks]
    return SliceSet(stacks, stack, place, np.concatenate(images), np.concatenate(structures))
