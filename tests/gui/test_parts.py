"""Where lines may be broken: between the parts of a file's name, never within a figure."""

from __future__ import annotations

import pytest

from napari_spineseg.widgets.parts import _breakable


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("patient_scan.nii.gz", ["patient_", "scan.", "nii.gz"]),
        ("Held-back corrections 0.973 to 0.958", ["Held-", "back corrections 0.973 to 0.958"]),
        ("guard 0.897 [-0.001, +0.010]", ["guard 0.897 [-0.001, +0.010]"]),
    ],
)
def test_lines_break_in_names_and_not_in_figures(text, parts):
    assert _breakable(text).split("\u200b") == parts
