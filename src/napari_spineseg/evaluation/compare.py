"""One segmentation against its reference: per structure, per level, per instance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import Structure, levels_to_structures, structure_of
from napari_spineseg.core.metrics import agreement
from napari_spineseg.errors import DatasetError
from napari_spineseg.evaluation.pairs import Pair
from napari_spineseg.evaluation.report import CaseReport
from napari_spineseg.grid import Grid
from napari_spineseg.io.guard import refuse
from napari_spineseg.io.labels import is_surely_an_image, segmentation_of
from napari_spineseg.io.read import read_only_volume
from napari_spineseg.scan import Segmentation

# An instance is found where some predicted one overlaps it at least this well.
FOUND_DICE = 0.5


def compare(pair: Pair) -> CaseReport:
    """Figures of one scan, for every structure that either side holds.

    Raises
    ------
    ScanError
        If a file cannot be read, or holds an image.
    DatasetError
        If the two are not on the same grid, in whatever order of axes.
    """
    made, reference = read_labels(pair.predicted), read_labels(pair.reference)
    predicted = made.on_axes_of(reference.grid, tolerance_mm=1e-2)
    if predicted is None:
        raise DatasetError(
            f"{pair.predicted}: is not on the grid of {pair.reference} "
            f"({made.labels.shape} against {reference.labels.shape} voxels, or another place in space)."
        )
    files = ((pair.predicted, predicted), (pair.reference, reference))
    warnings = (f"{path}: {warning}" for path, labels in files for warning in labels.warnings)
    report = CaseReport(pair, warnings=tuple(dict.fromkeys(warnings)))
    ours, theirs = _structures(predicted), _structures(reference)
    for structure in Structure:
        mask, truth = ours == structure, theirs == structure
        if structure is not Structure.BACKGROUND and (mask.any() or truth.any()):
            report.structures[structure.title] = _figures(truth, mask, reference.grid)
    if predicted.scheme == reference.scheme == "levels":
        _compare_levels(report, predicted, reference)
    return report


def read_labels(path: Path) -> Segmentation:
    """Labels of a file.

    Raises
    ------
    ScanError
        If it cannot be read, or holds an image, of which every grey value would pass for a level.
    """
    raw = read_only_volume(path)
    if is_surely_an_image(raw):
        refuse(path, "holds an image, not labels; compare segmentations with reference labels")
    return segmentation_of(raw, path)


def _figures(truth: np.ndarray, mask: np.ndarray, grid: Grid) -> dict[str, float]:
    """Agreement of two masks, and how far their volumes are apart."""
    excess = int(np.count_nonzero(mask)) - int(np.count_nonzero(truth))
    return agreement(truth, mask, grid.spacing).figures() | {"volume_error": excess * grid.voxel_ml}


def _structures(segmentation: Segmentation) -> np.ndarray:
    if segmentation.scheme == "levels":
        return levels_to_structures(segmentation.labels)
    return segmentation.labels


def _compare_levels(report: CaseReport, predicted: Segmentation, reference: Segmentation) -> None:
    names = reference.names()
    matches: dict[str, list[tuple[int, int, float]]] = {}
    # A number that names no level was warned about, and is no instance of anything.
    for label in filter(structure_of, reference.found()):
        truth = reference.labels == label
        report.levels[names[label]] = _figures(truth, predicted.labels == label, reference.grid)
        if (structure := structure_of(label)) is not Structure.CANAL:  # there is only one
            match = (label, *_best_match(truth, predicted.labels, label))
            matches.setdefault(structure.title, []).append(match)
    for title, found in matches.items():
        report.instances[title] = _instance_figures(found)


def _best_match(truth: np.ndarray, labels: np.ndarray, label: int) -> tuple[int, float]:
    """The predicted instance of the same structure with the most voxels in `truth`, and its Dice."""
    inside, counts = np.unique(labels[truth], return_counts=True)
    alike = [
        (int(n), int(v))
        for v, n in zip(inside, counts, strict=True)
        if structure_of(int(v)) == structure_of(label)
    ]
    if not alike:
        return 0, 0.0
    shared, best = max(alike)
    return best, 2 * shared / (int(truth.sum()) + int((labels == best).sum()))


def _instance_figures(matches: list[tuple[int, int, float]]) -> dict[str, float]:
    good = [(label, best) for label, best, dice in matches if dice >= FOUND_DICE]
    used = [best for _, best in good]
    return {
        "found": sum(used.count(best) == 1 for best in used) / len(matches),
        "levels": sum(label == best for label, best in good) / len(matches),
    }
