"""What a benchmark reports: a figure with its spread, and the promise it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """Repeated measurements of one thing."""

    what: str
    values: tuple[float, ...]
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        return median(self.values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"median": self.median}

    def __str__(self) -> str:
        promise = "" if self.at_most is None else f"  (promised: at most {self.at_most:g})"
        promise += "" if self.at_least is None else f"  (promised: at least {self.at_least:g})"
        spread = f"{min(self.values):.3g} to {max(self.values):.3g}"
        return f"{self.what:58} {self.median:9.3g} {self.unit:3} [{spread}]{promise}"
