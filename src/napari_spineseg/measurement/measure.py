"""From a segmentation to figures: the one call that the page, the command and the report share."""

from __future__ import annotations

from collections.abc import Iterator

from napari_spineseg.anatomy import FIRST_DISC_LABEL, Structure, structure_of
from napari_spineseg.errors import ScanError
from napari_spineseg.measurement.catalogue import CATALOGUE, Of
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.settings import MeasureSettings
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan, Segmentation

_STAGE = "Measuring"
_NOTHING = "There is no vertebra and no disc in this segmentation, so nothing was measured."


def measure(
    segmentation: Segmentation,
    scan: Scan | None = None,
    settings: MeasureSettings | None = None,
    control: Control | None = None,
) -> Measurements:
    """Measure every vertebra and disc of a segmentation, and the spine as a whole.

    Parameters
    ----------
    segmentation
        Of the `levels` scheme, on any grid.
    scan
        What was segmented, on the same grid; without it signal is not measured.
    settings
        The defaults, if none are given.
    control
        Told of every level, and asked there whether to stop.

    Returns
    -------
    Measurements
        One figure for each measure of each level that is there, known or with the reason why not.

    Raises
    ------
    ScanError
        If the segmentation holds structures without levels.
    Stopped
        If `control` said so.
    """
    settings, control = settings or MeasureSettings(), control or Control()
    if segmentation.scheme != "levels":
        raise ScanError(
            f"{segmentation.name}: its labels tell structures but not levels; segment with the "
            "labels set to `levels` to measure."
        )
    found = segmentation.found()
    levels = _levels(found)
    figures: list[Figure] = []
    for done, label in enumerate(levels):
        control.step(_STAGE, done, len(levels))
        figures += _of_level(segmentation, label, found[label])
    if levels:
        figures += _missing("spine", 0, "spine", "not measured yet")
    warnings = segmentation.warnings if levels else (*segmentation.warnings, _NOTHING)
    return Measurements(tuple(figures), tuple(warnings), {})


def _levels(found: dict[int, int]) -> list[int]:
    """Labels of vertebrae and discs from the lowest upward: L5/S1, L5, L4/L5, L4, ..."""
    places = {
        label: 2 * label if structure_of(label) is Structure.VERTEBRA else 2 * (label - FIRST_DISC_LABEL) + 1
        for label in found
        if structure_of(label) in (Structure.VERTEBRA, Structure.DISC)
    }
    return sorted(places, key=places.__getitem__)


def _of_level(segmentation: Segmentation, label: int, voxels: int) -> Iterator[Figure]:
    """The figures of one vertebra or disc."""
    of: Of = "vertebra" if structure_of(label) is Structure.VERTEBRA else "disc"
    name = segmentation.numbering.name(label)
    for figure in _missing(of, label, name, "not measured yet"):
        if figure.key == f"{of}_volume":
            yield Figure(figure.key, label, name, voxels * segmentation.grid.voxel_ml)
        else:
            yield figure


def _missing(of: Of, label: int, name: str, reason: str) -> Iterator[Figure]:
    """Every measure of a kind of level, without a value."""
    for key, measure in CATALOGUE.items():
        if measure.of == of:
            yield Figure(key, label, name, None, reason)
