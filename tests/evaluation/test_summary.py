import math
from pathlib import Path

import pytest

from napari_spineseg.evaluation import CaseReport, Pair, summarise


def test_means_are_over_scans_and_over_patients():
    def case(scan, dice):
        figures = {"vertebra": {"dice": dice, "recall": 1.0}, "disc": {"dice": 0.0, "recall": float("nan")}}
        return CaseReport(Pair(scan, Path(), Path()), figures)

    summary = summarise([case("1_t1", 1.0), case("1_t2", 0.5), case("2_t2", 0.0)])
    assert summary["structures"]["vertebra"]["dice"] == pytest.approx(0.5)
    assert summary["over_patients"]["vertebra"]["dice"] == pytest.approx(0.375)
    assert summary["patients"]["1"]["vertebra"]["dice"] == 0.75
    # No reference has discs, so they were not annotated and cannot be wrong.
    assert "disc" not in summary["structures"]
    assert math.isfinite(summary["structures"]["vertebra"]["recall"])
    assert summary["worst"] == {"vertebra": {"scan": "2_t2", "dice": 0.0}}
