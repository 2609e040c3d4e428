"""Figures of many scans: their means, over scans and over patients, and the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_spineseg.core.metrics import mean_of
from napari_spineseg.evaluation.report import CaseReport


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
