"""From marked voxels to findings: which, where, how large, how sure."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_spineseg.anatomy import Numbering
from napari_spineseg.core.uncertainty import entropy
from napari_spineseg.tumours import FindSettings, find
from napari_spineseg.tumours.findings import confidence_of, largest_diameter
from napari_spineseg.tumours.scan import probability_of

SPACING = (2.0, 1.0, 1.0)
HEIGHT, DISC = 26, 8


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """A straight spine of L1 (5) to L5 (1): bodies of 34 mm, discs, a canal, spinous processes behind it."""
    out = np.zeros((20, 190, 110), np.uint16)
    for label in range(5, 0, -1):
        top = 10 + (5 - label) * (HEIGHT + DISC)
        out[2:18, top : top + HEIGHT, 20:54] = label
        out[2:18, top + HEIGHT : top + HEIGHT + DISC, 20:54] = 200 + label
        out[8:12, top + 8 : top + 30, 74:98] = label
    out[6:14, :, 56:72] = 100
    return out


def ball(shape, centre, radius_mm) -> np.ndarray:
    grids = np.ogrid[tuple(slice(0, n) for n in shape)]
    return sum(((g - c) * mm) ** 2 for g, c, mm in zip(grids, centre, SPACING, strict=True)) <= radius_mm**2


def middle_of(label: int) -> int:
    return 10 + (5 - label) * (HEIGHT + DISC) + HEIGHT // 2


@pytest.mark.parametrize(
    ("centre", "radius", "where"),
    [
        ((10, middle_of(3), 37), 8, "L3 body"),
        ((10, middle_of(1), 37), 5, "L5 body"),
        ((10, middle_of(2) + 6, 85), 5, "L4 posterior elements"),
        ((10, middle_of(5) + HEIGHT // 2 + DISC // 2, 64), 5, "intradural at L1/L2"),
        ((10, middle_of(4), 64), 5, "intradural at L2"),
        ((10, middle_of(3), 54), 9, "epidural at L3"),
    ],
)
def test_a_tumour_is_where_it_is(levels, centre, radius, where):
    _, findings = find(ball(levels.shape, centre, radius), None, levels, SPACING)
    assert [f.where for f in findings] == [where]


def test_levels_have_the_names_of_this_spine(levels):
    mask = ball(levels.shape, (10, middle_of(1), 37), 6)
    _, findings = find(mask, None, levels, SPACING, Numbering(lumbar=6))
    assert findings[0].where == "L6 body"


def test_a_level_that_the_tumour_has_eaten_is_still_named(levels):
    mask = ball(levels.shape, (10, middle_of(3), 37), 9)
    eaten = np.where(ball(levels.shape, (10, middle_of(3), 37), 10), 0, levels)
    assert find(mask, None, eaten, SPACING)[1][0].where == "L3 body"


def test_size_is_that_of_a_ball(levels):
    _, (finding,) = find(ball(levels.shape, (10, 80, 37), 9), None, levels, SPACING)
    assert finding.ml == pytest.approx(4 / 3 * np.pi * 0.9**3, rel=0.05)
    assert finding.mm == pytest.approx(18, abs=1.6)
    assert finding.extent_mm == pytest.approx((18, 18, 18), abs=1.5)
    assert finding.centre == pytest.approx((10, 80, 37), abs=1)


def test_numbers_run_from_the_top(levels):
    mask = np.zeros(levels.shape, bool)
    for label in (1, 4, 2):
        mask |= ball(levels.shape, (10, middle_of(label), 37), 6)
    labels, findings = find(mask, None, levels, SPACING)
    assert [f.label for f in findings] == [301, 302, 303]
    assert {f.label: f.where for f in findings} == {301: "L2 body", 302: "L4 body", 303: "L5 body"}
    assert labels[10, middle_of(4), 37] == 301 and (labels > 0).sum() == mask.sum()


def test_what_is_small_unsure_or_far_is_left_out(levels):
    near = ball(levels.shape, (10, 80, 37), 6)
    speck = ball(levels.shape, (10, 140, 37), 2)
    far = ball(levels.shape, (10, 80, 107), 2.5)
    sure = np.where(near, 0.9, 0.95).astype(np.float32)
    settings = FindSettings(least_ml=0.05, least_confidence=0.85, reach_mm=3, beside=True)
    _, findings = find(near | speck | far, sure, levels, SPACING, settings=settings)
    assert [f.where for f in findings] == ["L3 body"]
    assert findings[0].confidence == pytest.approx(0.9, abs=1e-3)
    unsure = np.where(near, 0.6, 1)
    assert find(near, unsure, levels, SPACING, settings=settings)[1] == []
    assert len(find(near, unsure, levels, SPACING)[1]) == 1
    assert find(near, unsure, levels, SPACING, odds=(1.0, -3.0))[1] == []


def test_an_unsure_border_does_not_make_a_finding_unsure():
    ragged = np.r_[np.full(80, 0.55), np.full(20, 0.98)]
    assert confidence_of(ragged) == pytest.approx(0.98, abs=1e-3)


@given(surest=st.floats(0.5, 1), slope=st.floats(0.1, 2), offset=st.floats(-9, 3))
def test_the_surer_the_voxels_the_surer_the_finding(surest, slope, offset):
    sure, less = (confidence_of(np.full(9, q), (slope, offset)) for q in (surest, (surest + 0.5) / 2))
    assert 0 <= less <= sure <= 1
    assert confidence_of(np.full(9, surest), (1.0, 0.0)) == pytest.approx(min(surest, 1 - 1e-5), abs=1e-6)


def test_what_lies_beside_the_spine_is_left_out_unless_it_is_asked_for(levels):
    far = ball(levels.shape, (10, 80, 107), 4)
    settings = FindSettings(reach_mm=100, beside=True)
    (finding,) = find(far, None, levels, SPACING, settings=settings)[1]
    assert finding.relation == "paravertebral"
    assert find(far, None, levels, SPACING, settings=settings.model_copy(update={"beside": False}))[1] == []


def test_without_any_anatomy_a_finding_is_kept_and_says_so(levels):
    _, (finding,) = find(ball(levels.shape, (10, 80, 37), 6), None, np.zeros_like(levels), SPACING)
    assert finding.where == "location unknown"
    assert json.loads(json.dumps(finding.record()))["level"] is None


def test_nothing_marked_nothing_found(levels):
    labels, findings = find(np.zeros(levels.shape, bool), None, levels, SPACING)
    assert not labels.any() and findings == []


def test_the_diameter_of_one_slice_and_of_one_voxel():
    line = np.stack([np.zeros(30), np.arange(30.0), np.zeros(30)], 1)
    assert largest_diameter(line, (4, 1, 1)) == pytest.approx(30)
    assert largest_diameter(line[:1], (4, 1, 1)) == pytest.approx(1)


def test_probability_comes_back_from_the_entropy():
    for share in (0.5, 0.6, 0.8, 0.95, 0.999):
        unsure = entropy(torch.tensor([[share], [1 - share]])).numpy()
        assert probability_of(unsure)[0] == pytest.approx(share, abs=0.01)
