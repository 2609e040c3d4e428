"""The audit: what is inconsistent in a folder of labelled scans, and the repair of what is safe.

Safe is what needs no judgement: numbers outside the scheme and small islands become background.
Everything else is for a person: the report says where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_spineseg.datasets.cases import Case, find_cases
from napari_spineseg.datasets.checks import CHECKS, Looked, island_pieces, islands, stray_labels
from napari_spineseg.datasets.duplicates import (
    duplicated_scans,
    key_of,
    patients_across_splits,
    signature,
)
from napari_spineseg.datasets.findings import AuditReport, Finding
from napari_spineseg.datasets.greys import stray_greys
from napari_spineseg.datasets.misfit import different_grids, shifted
from napari_spineseg.errors import DatasetError, OutputError, ScanError
from napari_spineseg.io import write_segmentation
from napari_spineseg.progress import Control
from napari_spineseg.scan import Segmentation

_HEAVIEST = {"error": 0, "warning": 1, "note": 2}


def audit(folder: Path, control: Control = Control()) -> AuditReport:
    """Look at every labelled scan under `folder`.

    Raises
    ------
    DatasetError
        If there are none.
    """
    cases = find_cases(folder)
    rows, findings = [], []
    signatures: dict[str, np.ndarray] = {}
    for done, case in enumerate(cases, start=1):
        row = {
            "name": case.name,
            "patient": case.patient,
            "split": case.split,
            "image": str(case.image) if case.image else None,
            "labels": str(case.labels),
        }
        found = []
        try:
            segmentation, found, signatures[key_of(case)] = _look(case)
            row |= {"scheme": segmentation.scheme, "found": _named(segmentation)}
        except ScanError as error:
            found = [Finding(case.name, "unreadable", "error", str(error))]
        rows.append(row)
        findings += sorted(found, key=lambda f: _HEAVIEST[f.weight])
        control.step("Auditing", done, len(cases))
    findings += [*duplicated_scans(cases, signatures), *patients_across_splits(cases)]
    order = {case.name: n for n, case in enumerate(cases)}
    findings.sort(key=lambda f: order[f.case])
    return AuditReport(tuple(rows), tuple(findings))


def _look(case: Case) -> tuple[Segmentation, list[Finding], np.ndarray]:
    """The labels, what was found, and what tells the scan from others (of labels alone: theirs)."""
    segmentation, scan = case.read_labels(), case.read_scan()
    looked = Looked.at(_renamed(segmentation, case.name), scan)
    found = list(_check(looked))
    if case.slices:
        found += stray_greys(case.name, case.slices)
    if scan is not None:
        found += different_grids(case.name, scan, segmentation)
    return segmentation, found, signature(looked.labels if scan is None else scan.sagittal())


def _check(looked: Looked) -> Iterator[Finding]:
    for check in CHECKS:
        yield from check(looked)
    yield from shifted(looked)


def _named(segmentation: Segmentation) -> dict[str, int]:
    names = segmentation.names()
    return {names[label]: voxels for label, voxels in segmentation.found().items()}


def _renamed(segmentation: Segmentation, name: str) -> Segmentation:
    return Segmentation(
        segmentation.labels, segmentation.affine, name, segmentation.scheme, segmentation.numbering
    )


def repaired(segmentation: Segmentation) -> tuple[Segmentation, list[Finding]]:
    """The labels with what is safe to repair repaired, and what that was."""
    looked = Looked.at(segmentation)
    labels = looked.labels.copy()
    done = []
    for finding in (f for f in stray_labels(looked) if f.repairable):
        labels[np.isin(labels, finding.labels)] = 0
        done.append(finding)
    pieces, small = island_pieces(looked)
    for numbers in small.values():
        labels[np.isin(pieces, numbers)] = 0
    done += islands(looked)
    turned = np.ascontiguousarray(segmentation.grid.to_orientation().invert(labels))
    return (
        Segmentation(
            turned,
            segmentation.affine,
            segmentation.name,
            segmentation.scheme,
            segmentation.numbering,
            segmentation.provenance,
            segmentation.warnings,
        ),
        done,
    )


def repair(
    folder: Path, out: Path, names: Sequence[str] | None = None, control: Control = Control()
) -> dict[str, list[Finding]]:
    """Write repaired labels of the cases that need it to `out`, in the layout of `folder`.

    The dataset itself stays as it is, and so do labels that cannot be read, which the audit names. Returns
    what was repaired, by case.

    Raises
    ------
    OutputError
        If `out` is the dataset itself, holds labels of these cases already, or cannot be written.
    DatasetError
        If a case holds PNG slices, whose repair is `preprocessing.apta`.
    """
    folder, out = Path(folder), Path(out)
    if out.resolve() == folder.resolve():
        raise OutputError(f"{out} is the dataset itself; choose another folder for the repaired labels.")
    cases = [case for case in find_cases(folder) if names is None or case.name in names]
    # They may be of an earlier repair, and have been looked over since.
    if there := [p for case in cases if (p := out / case.labels.relative_to(folder)).exists()]:
        raise OutputError(f"{there[0]} is there already; choose another folder for the repaired labels.")
    written: dict[str, list[Finding]] = {}
    for number, case in enumerate(cases, start=1):
        if case.slices:
            raise DatasetError(
                f"{case.name} holds PNG slices; export them anew with `dataset export-slices`."
            )
        try:
            better, done = repaired(case.read_labels())
        except ScanError:
            done = []
        if done:
            path = out / case.labels.relative_to(folder)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_segmentation(better, path)
            written[case.name] = done
        control.step("Repairing", number, len(cases))
    return written
