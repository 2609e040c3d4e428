"""Our figures against those of MONAI, stored by `benchmarks/metrics_monai.py`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from napari_spineseg.core.metrics import agreement

HERE = Path(__file__).parent
STORED = json.loads((HERE / "monai_figures.json").read_text())


@pytest.fixture(scope="module")
def maker():
    """The script that stored the figures, for its cases."""
    path = HERE.parents[1] / "benchmarks" / "metrics_monai.py"
    spec = importlib.util.spec_from_file_location("metrics_monai", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", STORED["figures"])
def test_every_figure_is_monais(maker, name):
    ours = agreement(*maker.cases()[name], maker.TOLERANCE_MM).figures()
    assert ours == pytest.approx(STORED["figures"][name], rel=1e-5)
    assert 0 < ours["dice"] < 1


def test_every_case_is_stored(maker):
    assert set(maker.cases()) == set(STORED["figures"])
    assert all(len(figures) == 9 for figures in STORED["figures"].values())
