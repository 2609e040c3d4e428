"""Every measure there is: what it is called, its unit, how it is defined, whose definition that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Of = Literal["vertebra", "disc", "spine"]


@dataclass(frozen=True)
class Measure:
    """What a figure is. `unit` is empty for a ratio; `decimals` is how many are shown."""

    key: str
    title: str
    unit: str
    of: Of
    decimals: int
    definition: str
    source: str


_OURS = "our definition"
_EASTELL = "Eastell et al., J Bone Miner Res 6:207 (1991)"
_MASUDA = "after Masuda et al., Spine 30:5 (2005)"
_FROBIN = "after Frobin et al., Clin Biomech 12 Suppl 1:S1 (1997)"
_TAILLARD = "Taillard, Acta Orthop Scand 24:115 (1954)"
_COBB = "Cobb, Instr Course Lect 5:261 (1948)"

_ALL = (
    Measure(
        "body_height_anterior", "Body height, anterior", "mm", "vertebra", 1,
        "Distance between the endplates of the body at its anterior wall, in the midsagittal band. Endplates "
        "and walls are lines from rim to rim, so that osteophytes and rounded corners do not count.",
        _EASTELL,
    ),
    Measure(
        "body_height_middle", "Body height, middle", "mm", "vertebra", 1,
        "Distance between the endplates half way from the anterior to the posterior wall.",
        _EASTELL,
    ),
    Measure(
        "body_height_posterior", "Body height, posterior", "mm", "vertebra", 1,
        "Distance between the endplates of the body at its posterior wall.",
        _EASTELL,
    ),
    Measure(
        "wedge_ratio", "Anterior / posterior height", "", "vertebra", 2,
        "Anterior over posterior body height.",
        _EASTELL,
    ),
    Measure(
        "biconcavity_ratio", "Middle / posterior height", "", "vertebra", 2,
        "Middle over posterior body height.",
        _EASTELL,
    ),
    Measure(
        "body_depth", "Body depth", "mm", "vertebra", 1,
        "Anterior to posterior wall of the body half way between its endplates, in the midsagittal band.",
        _OURS,
    ),
    Measure(
        "vertebra_volume", "Volume", "ml", "vertebra", 1,
        "Voxels of the vertebra, posterior elements included, times the volume of a voxel.",
        _OURS,
    ),
    Measure(
        "disc_height_anterior", "Disc height, anterior", "mm", "disc", 1,
        "Height of the disc a sixth of its depth from its anterior edge, square to its middle plane.",
        _FROBIN,
    ),
    Measure(
        "disc_height_middle", "Disc height, middle", "mm", "disc", 1,
        "Height of the disc half way between its anterior and posterior edges.",
        _FROBIN,
    ),
    Measure(
        "disc_height_posterior", "Disc height, posterior", "mm", "disc", 1,
        "Height of the disc a sixth of its depth from its posterior edge.",
        _FROBIN,
    ),
    Measure(
        "disc_height_mean", "Disc height, mean", "mm", "disc", 1,
        "Area of the disc over its depth, in the midsagittal band.",
        _OURS,
    ),
    Measure(
        "disc_depth", "Disc depth", "mm", "disc", 1,
        "Anterior to posterior edge of the disc along its middle plane, in the midsagittal band.",
        _OURS,
    ),
    Measure(
        "disc_height_index", "Disc height index", "%", "disc", 0,
        "Mean of the three disc heights over the mean of the three heights of the adjacent bodies.",
        _MASUDA,
    ),
    Measure(
        "disc_volume", "Volume", "ml", "disc", 1,
        "Voxels of the disc times the volume of a voxel.",
        _OURS,
    ),
    Measure(
        "disc_angle", "Disc angle", "°", "disc", 1,
        "Angle between the endplates that face the disc, in the sagittal plane; positive if open in front.",
        _FROBIN,
    ),
    Measure(
        "slip", "Slip", "mm", "disc", 1,
        "How far the lower posterior corner of the vertebra above lies in front of the upper posterior "
        "corner of the one below, along the endplate of the latter; positive forward.",
        _TAILLARD,
    ),
    Measure(
        "slip_share", "Slip / endplate", "%", "disc", 0,
        "Slip over the depth of the upper endplate of the vertebra below.",
        _TAILLARD,
    ),
    Measure(
        "disc_signal", "Disc / canal signal", "", "disc", 2,
        "Median signal of the inner half of the disc over that of the canal beside it, in the midsagittal "
        "band of the scan.",
        _OURS,
    ),
    Measure(
        "canal_depth", "Canal depth", "mm", "disc", 1,
        "Front to back of what is labelled canal at the height of the disc's posterior edge, square to the "
        "canal, averaged over 4 mm along it and over the middle half of the midsagittal band.",
        _OURS,
    ),
    Measure(
        "canal_area", "Canal area", "mm²", "disc", 0,
        "Cross-section of what is labelled canal at the height of the disc's posterior edge, square to the "
        "canal, averaged over 4 mm along it.",
        _OURS,
    ),
    Measure(
        "lordosis", "Lordosis L1–L5", "°", "spine", 1,
        "Angle in the sagittal plane between the upper endplate of L1 and the lower endplate of the lowest "
        "lumbar vertebra; positive if lordotic. The sacrum is not labelled, so this is not L1–S1.",
        _COBB,
    ),
    Measure(
        "coronal_cobb", "Coronal Cobb angle", "°", "spine", 1,
        "Largest angle in the coronal plane between the upper endplate of one vertebra in view and the lower "
        "endplate of another below it.",
        _COBB,
    ),
)  # fmt: skip

CATALOGUE: dict[str, Measure] = {measure.key: measure for measure in _ALL}
"""Measures by key, in the order in which they are shown."""
