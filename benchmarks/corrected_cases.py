"""Scans with reference labels and what the bundled model makes of them, for the benchmarks of correction.

`--data DIR` holds `NAME_image.nii.gz` beside `NAME_labels.nii.gz` (1 vertebra, 2 disc, 3 canal). With
`--keep DIR`, predictions are made once and read from there afterwards; they go stale with the model.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from napari_spineseg import io
from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL, FIRST_TUMOUR_LABEL, levels_to_structures
from napari_spineseg.instances import label_levels
from napari_spineseg.models import get_model
from napari_spineseg.scan import Scan
from napari_spineseg.segment import SegmentSettings, segment

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "spider_space" / "val"


@dataclass(frozen=True, eq=False)
class Case:
    """One scan. Arrays are (slices, rows, columns), sagittal.

    Attributes
    ----------
    labels, reference
        In levels. The reference says structures only, so it is numbered as the labels are: which level is
        the lumbosacral one is a matter for *Renumber the column*, not for the outlines.
    uncertainty
        0 sure to 1 unsure.
    """

    name: str
    scan: Scan
    labels: np.ndarray
    reference: np.ndarray
    uncertainty: np.ndarray
    spacing: tuple[float, float, float]

    @property
    def image(self) -> np.ndarray:
        """Grey values."""
        return self.scan.sagittal()

    @property
    def wrong(self) -> np.ndarray:
        """Where the structure, whatever its level, is not that of the reference."""
        return levels_to_structures(self.labels) != levels_to_structures(self.reference)

    @property
    def dice(self) -> float:
        """Mean over the structures of the reference."""
        return dice(levels_to_structures(self.labels), levels_to_structures(self.reference))


def dice(found: np.ndarray, reference: np.ndarray) -> float:
    """Mean Dice over the structures that the reference holds."""
    scores = []
    for structure in np.unique(reference[reference > 0]):
        a, b = found == structure, reference == structure
        scores.append(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
    return float(np.mean(scores))


def options(description: str) -> argparse.ArgumentParser:
    """What every benchmark here takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=DATA, help="scans and their reference labels")
    parser.add_argument("--keep", type=Path, help="folder where predictions are kept between runs")
    parser.add_argument("--model", default="lumbar", help="what segments the scans")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    return parser


def cases(data: Path, model: str = "lumbar", keep: Path | None = None) -> Iterator[Case]:
    """Every scan of `data` with its prediction, by name."""
    for path in sorted(data.glob("*_image.nii.gz")):
        yield _case(path, model, keep)


def _case(path: Path, model: str, keep: Path | None) -> Case:
    name = path.name.removesuffix("_image.nii.gz")
    scan = io.read_scan(path)
    turn = scan.grid.to_orientation()
    raw = np.asarray(nib.load(path.with_name(f"{name}_labels.nii.gz")).dataobj).astype(np.uint8)
    reference = label_levels(np.ascontiguousarray(turn.apply(raw)), turn.grid.spacing).levels
    labels, uncertainty = _predicted(name, scan, model, keep)
    labels, spacing = turn.apply(labels), tuple(float(v) for v in turn.grid.spacing)
    return Case(name, scan, labels, numbered_as(labels, reference), turn.apply(uncertainty), spacing)


def numbered_as(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The reference with all its levels moved up or down by as many as agrees best with `labels`."""

    def moved(by: int) -> np.ndarray:
        lookup = np.arange(400)
        for first, last in ((1, CANAL_LABEL - 1), (FIRST_DISC_LABEL, FIRST_TUMOUR_LABEL - 2)):
            levels = lookup[(lookup >= first) & (lookup <= last)]
            lookup[levels] = np.clip(levels + by, first, last)
        return lookup[reference].astype(reference.dtype)

    return max(map(moved, (0, 1, -1, 2, -2)), key=lambda one: np.count_nonzero((one == labels) & (one > 0)))


def _predicted(name: str, scan: Scan, model: str, keep: Path | None) -> tuple[np.ndarray, np.ndarray]:
    version = get_model(model).sha256[:12]
    kept = keep / f"{name}_{version}.npz" if keep else None
    if kept is not None and kept.exists():
        with np.load(kept) as file:
            return file["labels"], file["uncertainty"]
    result = segment(scan, SegmentSettings(model=model, uncertainty=True))
    if kept is not None:
        keep.mkdir(parents=True, exist_ok=True)
        np.savez(kept, labels=result.segmentation.labels, uncertainty=result.uncertainty)
    return result.segmentation.labels, result.uncertainty
