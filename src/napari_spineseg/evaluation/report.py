"""Figures of one scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from napari_spineseg.evaluation.pairs import Pair


@dataclass
class CaseReport:
    """Figures of one scan.

    Attributes
    ----------
    structures
        Structure title to its figures (see `core.metrics.Agreement`), and `volume_error`: the
        prediction's volume less the reference's, ml.
    levels
        Level name to its figures; empty unless both sides number their levels.
    instances
        Structure title to `found` (share of the reference's instances matched one to one at a Dice of
        0.5 or more) and `levels` (share that are found and bear the right number).
    warnings
        What reading the two files brought up, each with the name of its file.
    """

    pair: Pair
    structures: dict[str, dict[str, float]] = field(default_factory=dict)
    levels: dict[str, dict[str, float]] = field(default_factory=dict)
    instances: dict[str, dict[str, float]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints for this scan."""
        return {
            "scan": self.pair.scan,
            "patient": self.pair.patient,
            "structures": self.structures,
            "levels": self.levels,
            "instances": self.instances,
            "warnings": list(self.warnings),
        }
