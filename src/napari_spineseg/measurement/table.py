"""Figures as rows: for a spreadsheet (CSV), for a program (a JSON-able dict), and as they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from napari_spineseg.measurement.figures import Figure, Measurements

COLUMNS = (
    "segmentation", "level", "label", "measure", "key", "value", "unit", "reason", "caution", "definition",
    "source",
)  # fmt: skip
"""Columns of the CSV file: one figure a row. `value` is empty where `reason` says why. Each row names the
segmentation, so that the tables of many can be put together."""

MISSING = "–"
"""What stands for a figure that cannot be known."""

# Beyond what is shown, so that nobody's mean suffers from our rounding; short of pretending to more.
_MORE_DECIMALS = 2


def shown(figure: Figure, unit: bool = True) -> str:
    """A figure as a person reads it: rounded to its measure's decimals, with its unit; "–" if missing.

    >>> shown(Figure("slip", 202, "L4/L5", -1.26)), shown(Figure("slip_share", 202, "L4/L5", 3.4))
    ('−1.3 mm', '3 %')
    >>> shown(Figure("wedge_ratio", 1, "L5", 1.0)), shown(Figure("slip", 202, "L4/L5", None, "no L4"))
    ('1.00', '–')
    """
    if figure.value is None:
        return MISSING
    measure = figure.measure
    # Adding zero turns -0.0 into 0.0.
    number = f"{round(figure.value, measure.decimals) + 0.0:.{measure.decimals}f}".replace("-", "−")
    gap = "" if measure.unit in ("", "°") else " "
    return f"{number}{gap}{measure.unit}" if unit else number


def csv_text(measurements: Measurements) -> str:
    """Every figure as a row of CSV under a line of `COLUMNS`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    name = {"segmentation": measurements.provenance.get("segmentation", "")}
    writer.writerows(name | row for row in rows(measurements))
    return text.getvalue()


def as_dict(measurements: Measurements) -> dict[str, Any]:
    """Every figure with where it was taken, and the warnings. JSON-able."""
    return {
        "figures": list(rows(measurements)),
        "warnings": list(measurements.warnings),
    }


def rows(measurements: Measurements) -> Iterator[dict[str, Any]]:
    """Each figure with what it is; `marks_mm` are lines of points, RAS mm."""
    for figure in measurements.figures:
        measure = figure.measure
        yield {
            "level": figure.level,
            "label": figure.label,
            "measure": measure.title,
            "key": figure.key,
            "value": _rounded(figure),
            "unit": measure.unit,
            "reason": figure.reason,
            "caution": figure.caution,
            "definition": measure.definition,
            "source": measure.source,
            "marks_mm": [[[round(float(v), 2) for v in point] for point in line] for line in figure.marks],
        }


def _rounded(figure: Figure) -> float | None:
    if figure.value is None:
        return None
    return round(float(figure.value), figure.measure.decimals + _MORE_DECIMALS) + 0.0
