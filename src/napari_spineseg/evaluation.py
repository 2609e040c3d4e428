"""Segmentations against reference labels: per structure, per level, per patient."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg import io
from napari_spineseg.anatomy import Structure, levels_to_structures, structure_of
from napari_spineseg.core.metrics import agreement, mean_of
from napari_spineseg.errors import DatasetError
from napari_spineseg.grid import Grid
from napari_spineseg.io.guard import refuse
from napari_spineseg.io.labels import is_surely_an_image, segmentation_of
from napari_spineseg.io.read import read_only_volume
from napari_spineseg.scan import Segmentation

# What the names of images, labels and results add to a scan's own name.
_SUFFIXES = ("_seg", "_image", "_labels", "_levels", "_mask", "_masks", "_label")
# An instance is found where some predicted one overlaps it at least this well.
FOUND_DICE = 0.5


@dataclass(frozen=True)
class Pair:
    """A segmentation and the reference to hold it against."""

    scan: str
    predicted: Path
    reference: Path

    @property
    def patient(self) -> str:
        """Whose scan it is: the name up to its first underscore ("12" of "12_t2_SPACE")."""
        return self.scan.split("_")[0]


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


def find_pairs(predictions: Path, references: Path) -> list[Pair]:
    """Match predictions with references: two files, or the files of two folders by scan name.

    A file's scan name is its stem without `_seg`, `_image`, `_labels` and the like. Of several
    references of a scan, `_levels` is taken before others, since it says more.

    Raises
    ------
    DatasetError
        If a path is missing, or nothing matches.
    """
    for path in (predictions, references):
        if not path.exists():
            raise DatasetError(f"{path} does not exist; check the path.")
    if predictions.is_file() and references.is_file():
        return [Pair(scan_name(references), predictions, references)]
    for path in (predictions, references):
        if not (path.is_dir() or path.is_file()):
            raise DatasetError(f"{path} is neither a file nor a folder; compare two files, or two folders.")
    predicted, reference = _by_scan(predictions), _by_scan(references)
    pairs = [
        Pair(scan, predicted[scan], reference[scan]) for scan in sorted(predicted.keys() & reference.keys())
    ]
    if not pairs:
        raise DatasetError(
            f"No file in {predictions} has the name of one in {references}; for a scan x they are called "
            "x_seg.nii.gz and x_labels.nii.gz, for instance."
        )
    return pairs


def left_over(pairs: Sequence[Pair], predictions: Path, references: Path) -> list[str]:
    """What a person should be told of label files that no pair holds."""
    used = {path for pair in pairs for path in (pair.predicted, pair.reference)}
    paired = {pair.scan: pair for pair in pairs}
    told = []
    for folder, partner in ((predictions, "reference"), (references, "prediction")):
        if not folder.is_dir():
            continue
        for path in _files(folder):
            pair = paired.get(scan_name(path))
            if pair is None:
                told.append(f"{path}: has no {partner} of its name, so it was not compared.")
            elif path not in used and not os.path.samefile(predictions, references):
                instead = pair.predicted if folder is predictions else pair.reference
                told.append(f"{path}: was not compared; {instead.name} of the same scan was.")
    return told


def scan_name(path: Path) -> str:
    """Name of the scan that a file of labels belongs to.

    >>> scan_name(Path("12_t2_image_seg.nii.gz")), scan_name(Path("12_t2_labels.nii.gz"))
    ('12_t2', '12_t2')
    """
    stem = io.stem_of(path)
    while ending := next((s for s in _SUFFIXES if stem.endswith(s) and stem != s), None):
        stem = stem.removesuffix(ending)
    return stem


def compare(pair: Pair) -> CaseReport:
    """Figures of one scan, for every structure that either side holds.

    Raises
    ------
    ScanError
        If a file cannot be read, or holds an image.
    DatasetError
        If the two are not on the same grid.
    """
    predicted, reference = read_labels(pair.predicted), read_labels(pair.reference)
    if not predicted.grid.same_place_as(reference.grid, tolerance_mm=1e-2):
        raise DatasetError(
            f"{pair.predicted}: is not on the grid of {pair.reference} "
            f"({predicted.labels.shape} against {reference.labels.shape} voxels, or another place in space)."
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


def annotated(reports: Sequence[CaseReport]) -> tuple[list[CaseReport], list[str]]:
    """The reports without the structures that no reference of the whole set labels, and those structures."""
    labelled = _labelled(reports)
    kept = [
        replace(
            report,
            structures={t: f for t, f in report.structures.items() if t in labelled},
        )
        for report in reports
    ]
    named = dict.fromkeys(title for report in reports for title in report.structures)
    return kept, [title for title in named if title not in labelled]


def summarise(reports: Sequence[CaseReport]) -> dict[str, Any]:
    """Means over scans, and over patients (each patient's scans averaged first), and the worst scans.

    A structure that no reference of the whole set labels is left out: it was not annotated.
    """
    labelled = _labelled(reports)
    patients: dict[str, list[CaseReport]] = {}
    for report in reports:
        patients.setdefault(report.pair.patient, []).append(report)
    by_patient = {name: _means(cases, labelled) for name, cases in patients.items()}
    return {
        "scans": len(reports),
        "structures": _means(reports, labelled),
        "over_patients": {
            title: mean_of([means[title] for means in by_patient.values() if title in means])
            for title in sorted(labelled)
        },
        "worst": _worst(reports, labelled),
        "patients": by_patient,
        "levels": _grouped([r.levels for r in reports]),
        "instances": _grouped([{t: f for t, f in r.instances.items() if t in labelled} for r in reports]),
    }


def _labelled(reports: Sequence[CaseReport]) -> set[str]:
    """The structures that a reference labels: of others, there is no recall."""
    return {
        title
        for report in reports
        for title, figures in report.structures.items()
        if np.isfinite(figures["recall"])
    }


def _worst(reports: Sequence[CaseReport], labelled: set[str]) -> dict[str, dict[str, Any]]:
    """The scan with the lowest Dice of each structure."""
    out: dict[str, dict[str, Any]] = {}
    for report in reports:
        for title in sorted(labelled & report.structures.keys()):
            dice = report.structures[title]["dice"]
            if title not in out or dice < out[title]["dice"]:
                out[title] = {"scan": report.pair.scan, "dice": dice}
    return out


def _means(reports: Sequence[CaseReport], labelled: set[str]) -> dict[str, dict[str, float]]:
    rows = [{t: f for t, f in report.structures.items() if t in labelled} for report in reports]
    return _grouped(rows)


def _grouped(rows: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: mean_of([row[key] for row in rows if key in row]) for key in keys}


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


def _by_scan(path: Path) -> dict[str, Path]:
    return {scan_name(file): file for file in _files(path)}


def _files(path: Path) -> list[Path]:
    """Label files of a folder; where a scan has several, the one that says most comes last."""
    if path.is_file():
        return [path]
    from napari_spineseg.io.write import ENDINGS

    files = [p for p in sorted(path.iterdir()) if p.name.lower().endswith(ENDINGS) and _holds_labels(p)]
    return sorted(files, key=lambda p: (io.stem_of(p).endswith("_levels"), io.stem_of(p).endswith("_labels")))


def _holds_labels(path: Path) -> bool:
    return not io.stem_of(path).endswith(("_image", "_uncertainty"))
