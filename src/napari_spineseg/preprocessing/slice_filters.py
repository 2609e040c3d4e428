"""Which slices Ahmed et al. 2024 trained on: all four classes there, and not too unbalanced.

The imbalance ratio is printed in two ways: the smallest class share over the largest (journal),
and the other way round (preprint). The thresholds are .55 for T1 and T2 and .37 for T2 SPACE;
slices over them are dropped. A ratio of the largest to the smallest share is never below 1, so that
with the preprint's reading every slice is dropped: the journal's is the default.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Reading = Literal["journal", "preprint"]

THRESHOLDS = {"T1": 0.55, "T2": 0.55, "T2 SPACE": 0.37}
"""Published thresholds of the imbalance ratio, by sequence."""

_CLASSES = 4


class SliceFilter(BaseModel):
    """Which slices to keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: int = Field(
        4, ge=1, le=4, title="Classes", description="Fewest classes, background included, that a slice has"
    )
    threshold: float | None = Field(
        None, gt=0, title="Imbalance", description="Largest imbalance ratio; none keeps all"
    )
    reading: Reading = Field(
        "journal",
        title="Reading",
        description="journal: smallest over largest class share; preprint: inverse",
    )
    background: bool = Field(
        False,
        title="Count background",
        description="Whether background is a class in the ratio; not said in the paper, our interpretation",
    )

    def keeps(self, structures: np.ndarray) -> np.ndarray:
        """(slices,) bool for (slices, height, width) structures."""
        keep = class_count(structures) >= self.classes
        if self.threshold is not None:
            keep &= imbalance_ratio(structures, self.reading, self.background) <= self.threshold
        return keep


def class_count(structures: np.ndarray) -> np.ndarray:
    """(slices,) int: how many of the four classes, background included, each slice holds."""
    return (class_shares(structures) > 0).sum(1)


def class_shares(structures: np.ndarray) -> np.ndarray:
    """(slices, 4) float64: share of each class in each slice; what is beyond the four is left out."""
    flat = structures.reshape(len(structures), -1)
    return np.stack([(flat == kind).mean(1) for kind in range(_CLASSES)], 1)


def imbalance_ratio(
    structures: np.ndarray, reading: Reading = "journal", background: bool = False
) -> np.ndarray:
    """(slices,) float64: smallest over largest share ("journal"), or the inverse.

    Without one of the classes that is 0, or infinite.
    """
    shares = class_shares(structures)[:, 0 if background else 1 :]
    smallest, largest = shares.min(1), shares.max(1)
    over, under = (smallest, largest) if reading == "journal" else (largest, smallest)
    empty = np.zeros(len(shares)) if reading == "journal" else np.full(len(shares), np.inf)
    return np.divide(over, under, out=empty, where=under > 0)
