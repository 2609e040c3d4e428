"""Which segmentation is held against which reference: files of one scan, by their names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_spineseg import io
from napari_spineseg.errors import DatasetError
from napari_spineseg.io.write import ENDINGS

# What the names of images, labels and results add to a scan's own name.
_SUFFIXES = ("_seg", "_image", "_labels", "_levels", "_mask", "_masks", "_label")


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


def _by_scan(path: Path) -> dict[str, Path]:
    return {scan_name(file): file for file in _files(path)}


def _files(path: Path) -> list[Path]:
    """Label files of a folder; where a scan has several, the one that says most comes last."""
    if path.is_file():
        return [path]
    files = [p for p in sorted(path.iterdir()) if p.name.lower().endswith(ENDINGS) and _holds_labels(p)]
    return sorted(files, key=lambda p: (io.stem_of(p).endswith("_levels"), io.stem_of(p).endswith("_labels")))


def _holds_labels(path: Path) -> bool:
    return not io.stem_of(path).endswith(("_image", "_uncertainty"))
