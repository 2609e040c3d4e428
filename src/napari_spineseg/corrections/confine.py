"""Where painting and tools may go, so that fixing one structure does not spoil another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_spineseg.anatomy import Scheme, levels_to_structures, structure_of


class Confine(StrEnum):
    """What may be painted over."""

    BACKGROUND = "background"
    STRUCTURE = "structure"
    INSIDE = "inside"
    ANYWHERE = "anywhere"

    @property
    def title(self) -> str:
        """The choice as a person reads it."""
        return _TITLES[self]


_TITLES = {
    Confine.BACKGROUND: "Only over background",
    Confine.STRUCTURE: "Protect other structures",
    Confine.INSIDE: "Only inside where I start",
    Confine.ANYWHERE: "Over everything",
}


@dataclass(frozen=True)
class Rule:
    """Which voxels may change.

    Attributes
    ----------
    confine
        `BACKGROUND`: no labelled voxel changes. `STRUCTURE`: a vertebra may take from another
        vertebra, but not from disc or canal. `INSIDE`: only voxels of label `inside` change.
    inside
        For `INSIDE`: the label, 0 for the background.
    scheme
        What the labels mean.
    """

    confine: Confine = Confine.BACKGROUND
    inside: int = 0
    scheme: Scheme = "levels"

    def allows(self, before: np.ndarray, label: int, erase: bool = False) -> np.ndarray:
        """Where `before` (labels of any shape) may become `label`, or be erased. Bool, same shape."""
        if self.confine is Confine.ANYWHERE:
            return np.ones(before.shape, bool)
        if self.confine is Confine.INSIDE:
            return before == self.inside
        if self.confine is Confine.BACKGROUND:
            return before == (label if erase else 0)
        same = self._kinds(before) == self._kind(label)
        return same if erase else same | (before == 0)

    def _kind(self, label: int) -> int:
        return int(structure_of(label)) if self.scheme == "levels" else label

    def _kinds(self, labels: np.ndarray) -> np.ndarray:
        # In the other scheme each number is a kind of its own.
        return levels_to_structures(labels) if self.scheme == "levels" else labels


ONLY_BACKGROUND = Rule()
