"""A doubtful place."""

from __future__ import annotations

from dataclasses import dataclass

from napari_spineseg.corrections.edit import Spacing

# Places closer than this to one that was found fine are the same place, after small edits too.
_SAME_PLACE_MM = 10.0


@dataclass(frozen=True)
class Doubt:
    """One place to look at.

    Attributes
    ----------
    kind
        What is doubtful: "gap", "doubled", "canal", "contact", "volume", "piece", "slice", "order" or
        "unsure".
    words
        The reason, as a person reads it: "No disc between L3 and L4".
    point
        Index (slice, row, column) to show.
    label
        The structure it is about, 0 if there is none yet.
    score
        Millilitres that are probably wrong.
    """

    kind: str
    words: str
    point: tuple[float, float, float]
    label: int
    score: float

    def same_as(self, other: Doubt, spacing: Spacing) -> bool:
        """Whether both speak of one thing: the same kind, at about the same place."""
        far = sum(((a - b) * s) ** 2 for a, b, s in zip(self.point, other.point, spacing, strict=True)) ** 0.5
        return self.kind == other.kind and far < _SAME_PLACE_MM
