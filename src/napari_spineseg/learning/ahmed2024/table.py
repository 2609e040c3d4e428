"""The published table, with what was measured beside it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from napari_spineseg.anatomy import Structure

COLUMNS = ("iou", "dice", "asd", "nsd", "precision", "recall", "f1", "hd95")
_HEADS = ("IoU", "Dice", "ASD", "NSD", "precision", "recall", "F1", "HD95")

_DISC, _VERTEBRA, _CANAL = (s.title for s in (Structure.DISC, Structure.VERTEBRA, Structure.CANAL))

PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "T2 SPACE": {
        _DISC: dict(
            iou=0.9476, dice=0.9688, asd=0.0288, nsd=0.9994, precision=0.9684, recall=0.9778, f1=0.9731
        ),
        _VERTEBRA: dict(
            iou=0.9461, dice=0.9712, asd=0.0464, nsd=0.9944, precision=0.9745, recall=0.9701, f1=0.9723
        ),
        _CANAL: dict(
            iou=0.9501, dice=0.9671, asd=0.0361, nsd=0.9963, precision=0.9761, recall=0.9727, f1=0.9744
        ),
    },
    "T1": {_DISC: dict(dice=0.9592), _VERTEBRA: dict(dice=0.9634), _CANAL: dict(dice=0.9628)},
    "T2": {_DISC: dict(dice=0.9527), _VERTEBRA: dict(dice=0.9647), _CANAL: dict(dice=0.9625)},
}
"""What Ahmed et al. 2024 print. Their ASD and NSD are of stacked slices (see `score`)."""

INDEPENDENT = {_VERTEBRA: 0.916, _CANAL: 0.783, _DISC: 0.862}
"""Dice of an independent run of the published network with patients kept apart."""

_NAMES = {
    "published": "modified U-Net, here",
    "default": "SpineNet, same slices",
    "bundled": "SpineNet as bundled",
}


def as_markdown(results: Iterable[dict[str, Any]], sequence: str = "T2 SPACE") -> str:
    """A table a protocol; mean and, of several folds, standard deviation over them."""
    results = list(results)
    parts = []
    for protocol in ("slices", "patients"):
        of_protocol = [r for r in results if r["protocol"] == protocol]
        if of_protocol:
            parts.append(_protocol(protocol, of_protocol, sequence))
    return "\n\n".join(parts) + "\n"


def _protocol(protocol: str, results: Sequence[dict[str, Any]], sequence: str) -> str:
    first = results[0]
    tested, near = first["slices"]["test"], first["test_with_neighbour_in_training"]
    lines = [
        f"### Protocol {protocol}",
        "",
        f"{first['slices']['train']} slices of {first['patients']['train']} patients train, {tested} of "
        f"{first['patients']['test']} are tested"
        + (" and also choose the checkpoint" if protocol == "slices" else "")
        + f"; {near} of the {tested} have a neighbour of the same scan in training.",
        "",
        "| | structure | grid | " + " | ".join(_HEADS) + " |",
        "| --- " * (3 + len(COLUMNS)) + "|",
    ]
    if protocol == "slices":
        for structure, figures in PUBLISHED.get(sequence, {}).items():
            lines.append(_row(f"printed, {sequence}", structure, "256 × 256, stacked", [figures]))
    else:
        for structure, dice in INDEPENDENT.items():
            lines.append(_row("an independent run of theirs", structure, "", [{"dice": dice}]))
    for network in _NAMES:
        folds = [r for r in results if r["network"] == network]
        if folds:
            lines += _rows(_NAMES[network], folds)
    return "\n".join([*lines, "", *_trainings(results)])


def _rows(name: str, folds: Sequence[dict[str, Any]]) -> list[str]:
    rows = []
    for key, grid in (("published_grid", "256 × 256"), ("own_grid", "640 × 512")):
        for structure in folds[0][key]:
            rows.append(
                _row(name, structure, grid, [f[key][structure] for f in folds if structure in f[key]])
            )
    for structure in folds[0]["stacked"]:
        stacked = [f["stacked"][structure] for f in folds if structure in f["stacked"]]
        figures = [{"asd": s["asd_px"], "nsd": s["nsd"]} for s in stacked]
        rows.append(_row(name, structure, "256 × 256, stacked as published (pixels)", figures))
    return rows


def _row(name: str, structure: str, grid: str, folds: Sequence[dict[str, float]]) -> str:
    cells = (_cell([f.get(column) for f in folds]) for column in COLUMNS)
    return f"| {name} | {structure} | {grid} | " + " | ".join(cells) + " |"


def _cell(values: Sequence[float | None]) -> str:
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return "–"
    mean = f"{statistics.fmean(known):.4f}"
    return f"{mean} ± {statistics.stdev(known):.4f}" if len(known) > 1 else mean


def _trainings(results: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    for r in results:
        t, s = r["training"], r["settings"]
        if t is None:
            lines.append(
                f"- {_NAMES[r['network']]}: trained by its own recipe on patients of its own, not on "
                f"those counted above; weights {r['sha256'][:12]}."
            )
            continue
        lines.append(
            f"- {_NAMES[r['network']]}, fold {r['fold'] + 1}, seed {s['seed']}: {t['steps']} steps of "
            f"{s['batch']} ({t['epochs']:g} epochs) in {t['seconds'] / 60:.0f} minutes; the checkpoint of "
            f"epoch {t['chosen_epoch']:g} was chosen, mean IoU {t['chosen_mean_iou']:.4f}."
        )
    return lines
