"""The table: what was measured, beside the published row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_spineseg.learning.chen2024.measure import PUBLISHED

_NAMES = {"precision": "P", "recall": "R", "accuracy": "accuracy", "f1": "F1", "iou": "IoU", "dice": "Dice"}
NOTE = (
    "Published: contrast-enhanced T1 of patients; split, patch size and unit of scoring are not published. "
    "Ours: synthetic tumours in held-out patients. The rows are not the same task."
)


def as_markdown(result: Mapping[str, Any]) -> str:
    """Result of `reproduce.chen2024` as two tables and a note."""
    lines = ["| | " + " | ".join(_NAMES.values()) + " |", "|---" * (len(_NAMES) + 1) + "|"]
    lines.append(_row("Chen et al. 2024, as published", PUBLISHED))
    lines.append(_row("ours, held-out patches", result["patches"]))
    lines.append(_row("ours, whole slices", result["scans"]["all"]))
    lines += [
        "",
        "| scans | n | tumours | found | false a scan | Dice a tumour | volume error |",
        "|---" * 7 + "|",
    ]
    for name, figures in result["scans"].items():
        lines.append(_scan_row(f"with tumours, {name}", figures))
    for name, figures in result["tumour_free"].items():
        lines.append(_scan_row(f"look-alikes only, {name}", figures))
    return "\n".join([*lines, "", NOTE, ""])


def _row(name: str, figures: Mapping[str, Any]) -> str:
    return f"| {name} | " + " | ".join(_number(figures.get(key)) for key in _NAMES) + " |"


def _scan_row(name: str, figures: Mapping[str, Any]) -> str:
    values = (
        figures.get(key) for key in ("lesion_sensitivity", "false_per_scan", "lesion_dice", "volume_error")
    )
    counts = f"{figures['scans']} | {figures['lesions'] or '–'}"
    return f"| {name} | {counts} | " + " | ".join(_number(value) for value in values) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
