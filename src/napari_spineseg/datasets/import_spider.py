"""SPIDER as downloaded (Zenodo 10159290): `images/1_t2.mha`, `masks/1_t2.mha`, `overview.csv`.

Imported scans are NIfTI in one folder a split, named so that every other part of the package finds
them: `train/1_t2_image.nii.gz` and `train/1_t2_levels.nii.gz`.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from napari_spineseg.datasets.cases import SPLITS, Case, find_cases, patient_of
from napari_spineseg.errors import DatasetError, OutputError
from napari_spineseg.io import write_scan, write_segmentation
from napari_spineseg.progress import Control

_SOURCE = {
    "name": "SPIDER",
    "citation": "van der Graaf et al., Lumbar spine segmentation in MR images: a dataset and a public "
    "benchmark, Scientific Data 2024",
    "licence": "CC BY 4.0",
}


def import_spider(
    folder: Path, out: Path, validation_share: float = 0.15, control: Control = Control()
) -> list[Path]:
    """Import a download of SPIDER.

    Patients keep the subset that `overview.csv` gives them. Without that file, or for patients it
    does not name, `validation_share` of them go to validation, by a hash of the patient's id: the
    same every time, whatever else is in the folder.

    Returns
    -------
    The images that were written.

    Raises
    ------
    DatasetError
        If `folder` is not such a download.
    OutputError
        If `out` holds imported scans already.
    """
    cases = spider_cases(folder)
    splits = _splits(folder, cases, validation_share)
    if any(out.glob("*/*_image.nii.gz")):
        raise OutputError(f"{out} holds imported scans already; choose another folder.")
    written = []
    rows = []
    for done, case in enumerate(cases, start=1):
        place = out / splits[case.patient]
        place.mkdir(parents=True, exist_ok=True)
        scan, labels = case.read_scan(), case.read_labels()
        write_segmentation(labels, place / f"{case.name}_levels.nii.gz")
        write_scan(scan, place / f"{case.name}_image.nii.gz")
        written.append(place / f"{case.name}_image.nii.gz")
        rows.append([case.name, case.patient, splits[case.patient], case.sequence, *labels.found()])
        control.step("Importing", done, len(cases))
    _write_list(rows, out)
    return written


def spider_cases(folder: Path) -> list[Case]:
    """The labelled scans of a download.

    Raises
    ------
    DatasetError
        If there are none, or a mask has no image.
    """
    if not (folder / "images").is_dir() or not (folder / "masks").is_dir():
        raise DatasetError(f"{folder} is not a download of SPIDER: it has no images/ and masks/.")
    cases = [case for case in find_cases(folder) if not case.slices]
    if not cases:
        raise DatasetError(f"{folder} is not a download of SPIDER: masks/ holds no volumes.")
    for case in cases:
        if case.image is None:
            raise DatasetError(f"{case.labels} has no image of the same name in {folder / 'images'}.")
    return cases


def _splits(folder: Path, cases: Sequence[Case], validation_share: float) -> dict[str, str]:
    """The split of each patient."""
    named = {}
    overview = folder / "overview.csv"
    if overview.is_file():
        with overview.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                name, subset = row.get("new_file_name"), (row.get("subset") or "").strip().lower()
                if name and subset in SPLITS:
                    named[patient_of(name)] = SPLITS[subset]
    return {c.patient: named.get(c.patient, _drawn(c.patient, validation_share)) for c in cases}


def _drawn(patient: str, validation_share: float) -> str:
    place = int(hashlib.sha256(f"spider-{patient}".encode()).hexdigest()[:8], 16) / 16**8
    return "val" if place < validation_share else "train"


def _write_list(rows: list[list[object]], out: Path) -> None:
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "patient", "split", "sequence", "labels"])
        table.writerows([*row[:4], " ".join(map(str, row[4:]))] for row in rows)
    (out / "dataset.json").write_text(json.dumps(_SOURCE | {"scans": len(rows)}, indent=1) + "\n", "utf-8")
