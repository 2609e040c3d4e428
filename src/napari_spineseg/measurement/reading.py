"""What a room's part hands on: a value with its doubts and its lines, before it knows whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spineseg.measurement.figures import Point
from napari_spineseg.measurement.space import Missing, point


@dataclass(frozen=True)
class Reading:
    """A value in the measure's unit, what makes it doubtful, and where it was taken, in RAS mm."""

    value: float
    caution: str = ""
    marks: tuple[tuple[Point, ...], ...] = ()


Readings = dict[str, "Reading | Missing"]
"""By key of the catalogue."""


def line(*places: np.ndarray) -> tuple[Point, ...]:
    """A mark through places in RAS mm."""
    return tuple(point(place) for place in places)


def words(*cautions: str) -> str:
    """Cautions as one text, each once."""
    return " ".join(dict.fromkeys(caution for caution in cautions if caution))


def first_missing(*parts: object) -> Missing | None:
    """The first of some parts that is missing."""
    return next((part for part in parts if isinstance(part, Missing)), None)


def all_missing(keys: Sequence[str], reason: str) -> Readings:
    """The same reason for several measures."""
    return {key: Missing(reason) for key in keys}


def ratio(above: Reading | Missing, below: Reading | Missing, factor: float = 1.0) -> Reading | Missing:
    """One reading over another, with the doubts and lines of both."""
    missing = first_missing(above, below)
    if missing is not None:
        return missing
    assert isinstance(above, Reading) and isinstance(below, Reading)
    if below.value <= 0:
        return Missing("what it is compared with is zero")
    caution = words(above.caution, below.caution)
    return Reading(factor * above.value / below.value, caution, above.marks + below.marks)
