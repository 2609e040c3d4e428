import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_spineseg.core.metrics import agreement, mean_of, surface_distances


def block(*bounds, shape=(1, 10, 10)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in bounds)] = True
    return mask


def test_overlap_worked_by_hand():
    # 4 x 4 = 16 against 4 x 6 = 24 voxels, 12 of them shared
    reference, predicted = block((0, 1), (2, 6), (2, 6)), block((0, 1), (3, 9), (2, 6))
    figures = agreement(reference, predicted, (1, 1, 1))
    assert figures.dice == pytest.approx(2 * 12 / 40)
    assert figures.iou == pytest.approx(12 / 28)
    assert figures.precision == pytest.approx(12 / 24)
    assert figures.recall == pytest.approx(12 / 16)
    assert figures.f1 == pytest.approx(2 * 0.5 * 0.75 / 1.25) == pytest.approx(figures.dice)


def test_distances_are_in_millimetres_along_each_axis():
    one, other = block((0, 1), (2, 3), (2, 3)), block((0, 1), (2, 3), (6, 7))
    figures = agreement(one, other, (3.0, 2.0, 0.5))
    assert (figures.asd, figures.hd95) == (2.0, 2.0)
    one, other = block((0, 1), (2, 3), (2, 3)), block((0, 1), (5, 6), (2, 3))
    assert agreement(one, other, (3.0, 2.0, 0.5)).asd == 6.0


def test_surfaces_worked_by_hand():
    # A row of 3 voxels against the row and one voxel more: every voxel of a row is surface.
    there, back = surface_distances(block((0, 1), (4, 5), (2, 5)), block((0, 1), (4, 5), (2, 6)), (1, 1, 1))
    assert sorted(there) == [0, 0, 0]
    assert sorted(back) == [0, 0, 0, 1]
    figures = agreement(
        block((0, 1), (4, 5), (2, 5)), block((0, 1), (4, 5), (2, 6)), (1, 1, 1), tolerance_mm=0.5
    )
    assert figures.asd == pytest.approx(1 / 4)  # the prediction's 4 voxels, one of them 1 mm off
    assert figures.assd == pytest.approx(1 / 7)
    assert figures.nsd == pytest.approx(6 / 7)
    assert figures.hd95 == pytest.approx(np.percentile([0, 0, 0, 1], 95))


def test_only_the_rim_of_a_solid_is_surface():
    cube = np.zeros((9, 9, 9), bool)
    cube[2:7, 2:7, 2:7] = True
    there, _ = surface_distances(cube, cube, (1, 1, 1))
    assert there.size == 5**3 - 3**3


def test_the_border_of_the_array_is_a_surface():
    there, _ = surface_distances(np.ones((3, 3, 3), bool), np.ones((3, 3, 3), bool), (1, 1, 1))
    assert there.size == 26


def test_what_cannot_be_known_is_nan():
    empty, mask = np.zeros((1, 10, 10), bool), block((0, 1), (2, 4), (2, 4))
    nothing = agreement(empty, empty, (1, 1, 1)).figures()
    assert all(math.isnan(value) for value in nothing.values())
    missed = agreement(mask, empty, (1, 1, 1))
    assert (missed.dice, missed.recall, missed.nsd) == (0.0, 0.0, 0.0)
    assert math.isnan(missed.precision)
    assert math.isnan(missed.f1)
    assert math.isnan(missed.asd)
    assert math.isnan(missed.assd)
    invented = agreement(empty, mask, (1, 1, 1))
    assert (invented.dice, invented.precision) == (0.0, 0.0)
    assert math.isnan(invented.recall)


masks = arrays(bool, (3, 5, 4))


@settings(deadline=None, max_examples=40)
@given(masks, masks)
def test_distances_equal_those_of_all_pairs(one, other):
    spacing = (2.5, 1.0, 0.5)
    there, _ = surface_distances(one, other, spacing)
    points = [_rim(mask) * spacing for mask in (one, other)]
    if len(points[0]) and len(points[1]):
        expected = [min(np.linalg.norm(p - q) for q in points[1]) for p in points[0]]
        np.testing.assert_allclose(sorted(there), sorted(expected), atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(masks, masks, st.sampled_from([0.4, 1.0, 2.6]))
def test_symmetric_figures_are_symmetric(one, other, tolerance):
    forth = agreement(one, other, (2.5, 1.0, 0.5), tolerance)
    back = agreement(other, one, (2.5, 1.0, 0.5), tolerance)
    for name in ("dice", "iou", "f1", "assd", "hd95", "nsd"):
        np.testing.assert_allclose(getattr(forth, name), getattr(back, name))
    np.testing.assert_allclose(forth.precision, back.recall)


def _rim(mask):
    """Indices of voxels with a face neighbour outside, looked at one by one."""
    padded = np.pad(mask, 1)
    steps = [s * np.eye(3, dtype=int)[axis] for axis in range(3) for s in (-1, 1)]
    return np.array(
        [p - 1 for p in np.argwhere(padded) if not all(padded[tuple(p + step)] for step in steps)]
    ).reshape(-1, 3)


def test_means_leave_out_what_is_not_known():
    rows = [{"dice": 0.5, "asd": float("nan")}, {"dice": 1.0}, {"dice": float("nan")}]
    means = mean_of(rows)
    assert means["dice"] == 0.75
    assert math.isnan(means["asd"])
