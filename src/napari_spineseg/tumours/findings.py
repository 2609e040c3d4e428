"""From marked voxels to findings: which are one tumour, where it lies, how large it is, how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Numbering
from napari_spineseg.grid import Box
from napari_spineseg.tumours.place import Place, in_words, place_of

# The scheme has 99 numbers for tumours.
_MOST = 99
# Borders are unsure in tumours as in look-alikes; what tells them apart is how sure the surest voxels are.
_SUREST = 90
# Probabilities of 0 and 1 have no odds.
_NEARLY_ONE = 1 - 1e-5


class FindSettings(BaseModel):
    """What counts as a finding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least_ml: float = Field(
        0.08, ge=0, le=10, title="Smallest finding (ml)", description="Smaller ones are left out"
    )
    least_confidence: float = Field(
        0.25,
        ge=0,
        le=1,
        title="Least confidence",
        description="Findings that the model is less sure of are left out",
    )
    beside: bool = Field(
        False,
        title="Beside the spine",
        description="Keep findings beside the spine too; the bundled model never learnt of any there",
    )
    reach_mm: float = Field(
        12.0, ge=0, le=100, title="Reach (mm)", description="Findings farther from the spine are left out"
    )


@dataclass(frozen=True)
class Finding:
    """One tumour, as the model sees it.

    Attributes
    ----------
    label
        Its number in the `levels` scheme, 301 and upward, from the top down.
    level
        "L3", or "L1/L2" where it lies between two.
    relation
        "body", "posterior elements", "disc", "foramen", "epidural", "intradural", "paravertebral" and what
        else `Place` knows.
    mm
        Largest diameter in 3D, and extents along (slices, rows, columns).
    ml
        Volume.
    confidence
        How likely it is one, 0 to 1: see `confidence_of`.
    centre
        (slice, row, column) of a voxel in its middle, in the sagittal view.
    """

    label: int
    level: str
    relation: str
    mm: float
    extent_mm: tuple[float, float, float]
    ml: float
    confidence: float
    centre: tuple[int, int, int]
    voxels: int

    @property
    def where(self) -> str:
        """ "L3 body", "L1/L2 foramen", "intradural at L1/L2"."""
        return in_words(self.level, self.relation)

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "label": self.label,
            "where": self.where,
            "level": self.level or None,
            "relation": self.relation,
            "mm": round(self.mm, 1),
            "extent_mm": [round(v, 1) for v in self.extent_mm],
            "ml": round(self.ml, 3),
            "confidence": round(self.confidence, 3),
            "centre": list(self.centre),
            "voxels": self.voxels,
        }


def find(
    mask: np.ndarray,
    probability: np.ndarray | None,
    levels: np.ndarray,
    spacing: tuple[float, float, float],
    numbering: Numbering = Numbering(),
    settings: FindSettings | None = None,
    odds: tuple[float, float] | None = None,
) -> tuple[np.ndarray, list[Finding]]:
    """Tell tumours apart, leave out what is none, and say where each is.

    Parameters
    ----------
    mask
        (slices, rows, columns) bool, sagittal view: what the model marked.
    probability
        The same shape, how likely each voxel is tumour; None counts as sure.
    levels
        The same shape, `levels` scheme, of the anatomy; all 0 if none is known.
    spacing
        mm along the axes.
    odds
        The model's `finding_odds`.

    Returns
    -------
    labels
        uint16, 301 and upward where a finding is, 0 elsewhere.
    findings
        In the order of the labels.
    """
    settings = settings or FindSettings()
    voxel_ml = float(np.prod(spacing)) / 1000
    pieces = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26)
    labels = np.zeros(mask.shape, np.uint16)
    statistics = cc3d.statistics(pieces)
    kept = []
    for piece in range(1, len(statistics["voxel_counts"])):
        voxels = int(statistics["voxel_counts"][piece])
        if voxels * voxel_ml < settings.least_ml:
            continue
        box = statistics["bounding_boxes"][piece]
        inside = pieces[box] == piece
        confidence = 1.0 if probability is None else confidence_of(probability[box][inside], odds)
        if confidence < settings.least_confidence:
            continue
        place = place_of(inside, box, levels, spacing, numbering)
        if not (place.of_spine or settings.beside):
            continue
        if place.distance_mm <= settings.reach_mm:
            kept.append((box, inside, confidence, place))
    kept.sort(key=lambda item: item[0][1].start)
    findings = []
    for label, (box, inside, confidence, place) in enumerate(kept[:_MOST], FIRST_TUMOUR_LABEL):
        labels[box][inside] = label
        findings.append(finding_of(label, box, inside, confidence, place, spacing))
    return labels, findings


def confidence_of(probabilities: np.ndarray, odds: tuple[float, float] | None = None) -> float:
    """How likely a finding is a tumour, 0 to 1, from the probabilities of its voxels.

    q, the 90th percentile of its voxels' probabilities; with the model's `odds`, `calibrated`.

    >>> round(confidence_of(np.array([0.6, 0.8, 0.8])), 3)
    0.8
    """
    surest = min(float(np.percentile(probabilities.astype(np.float32), _SUREST)), _NEARLY_ONE)
    return surest if odds is None else calibrated(surest, odds)


def calibrated(surest: float, odds: tuple[float, float]) -> float:
    """sigmoid(slope · log(q / (1 - q)) + offset) of q = `surest`, with `odds` = (slope, offset).

    Platt, Probabilistic outputs for support vector machines, 1999: of findings with .7, seven in ten are
    tumours among the scans it was fitted on.
    """
    slope, offset = odds
    return float(1 / (1 + np.exp(-(slope * log_odds(surest) + offset))))


def log_odds(share: float) -> float:
    """log(p / (1 - p)).

    >>> log_odds(0.5)
    0.0
    """
    return float(np.log(share / (1 - share)))


def finding_of(
    label: int,
    box: Box,
    inside: np.ndarray,
    confidence: float,
    place: Place,
    spacing: tuple[float, float, float],
) -> Finding:
    """Measure one finding: `inside` (bool, the shape of `box`) are its voxels."""
    points = np.argwhere(inside)
    centre = points[np.linalg.norm((points - points.mean(0)) * spacing, axis=1).argmin()]
    extents = (np.ptp(points, axis=0) + 1) * spacing
    return Finding(
        label,
        place.level,
        place.relation,
        largest_diameter(points * spacing, spacing),
        tuple(float(v) for v in extents),
        len(points) * float(np.prod(spacing)) / 1000,
        confidence,
        tuple(int(c + span.start) for c, span in zip(centre, box, strict=True)),
        len(points),
    )


def largest_diameter(points: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Longest line between two voxels' far ends, mm; `points` (n, 3) in mm, voxel centres."""
    # Slow to import, and the Segment page, which is there first, knows this module.
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    if len(points) > 4:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:
            points = points[:: max(1, len(points) // 400)]  # all in one plane: any of them do
    apart = pdist(points) if len(points) > 1 else np.zeros(1)
    return float(apart.max()) + float(min(spacing))
