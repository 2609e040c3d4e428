"""What measuring gives: figures that know what they are, where they were taken, and why one is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_spineseg.measurement.catalogue import CATALOGUE, Measure

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Figure:
    """One figure of one level.

    Attributes
    ----------
    key
        Its measure, a key of `CATALOGUE`.
    label
        The `levels` label it belongs to; 0 for one of the whole spine.
    level
        What that label is called, "L3" or "L3/L4"; "spine" for one of the whole spine.
    value
        In the measure's unit; None where it cannot be known, and then `reason` says why.
    reason
        One sentence, empty where there is a value.
    caution
        One sentence on what makes the value doubtful; empty where nothing does.
    marks
        Where it was taken: lines of points in RAS mm, for drawing and for checking.
    """

    key: str
    label: int
    level: str
    value: float | None
    reason: str = ""
    caution: str = ""
    marks: tuple[tuple[Point, ...], ...] = ()

    def __post_init__(self) -> None:
        """Hold that every figure is either known or explained."""
        if self.value is None and not self.reason:
            raise ValueError(f"{self.key} of {self.level} is missing without a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.key} of {self.level} is not finite")

    @property
    def measure(self) -> Measure:
        """What it is: title, unit, definition."""
        return CATALOGUE[self.key]


@dataclass(frozen=True)
class Measurements:
    """Every figure of one segmentation.

    Attributes
    ----------
    figures
        From the lowest level upward, those of one level together, those of the whole spine last.
    warnings
        What a person should know before using any of them.
    provenance
        What was measured with what: JSON-able.
    """

    figures: tuple[Figure, ...]
    warnings: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def of(self, level: str) -> dict[str, Figure]:
        """The figures of one level, by key."""
        return {figure.key: figure for figure in self.figures if figure.level == level}

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels that have figures, in order."""
        return tuple(dict.fromkeys(figure.level for figure in self.figures))
