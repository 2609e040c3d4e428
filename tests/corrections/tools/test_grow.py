import numpy as np
import pytest

from napari_spineseg.corrections.tools import grow, shrink

SPACING = (3.0, 1.0, 0.5)


@pytest.fixture
def ball() -> np.ndarray:
    labels = np.zeros((9, 41, 61), np.uint16)
    at = np.ogrid[-4:5, -20:21, -30:31]
    labels[sum((axis * step) ** 2 for axis, step in zip(at, SPACING, strict=True)) <= 8**2] = 5
    return labels


@pytest.mark.parametrize("mm", [0.5, 1.0, 2.0, 3.5])
def test_growth_is_in_millimetres_along_every_axis(ball, mm):
    after = ball.copy()
    grow(ball, 5, mm, SPACING).apply(after)
    for axis, step in enumerate(SPACING):
        others = tuple(n for n in range(3) if n != axis)
        wide = [np.flatnonzero((v == 5).any(others)) for v in (ball, after)]
        assert wide[1][-1] - wide[0][-1] == int(mm / step + 1e-6), f"axis {axis}"


@pytest.mark.parametrize("mm", [0.5, 1.0, 3.0])
def test_shrinking_undoes_growing_of_a_convex_shape(ball, mm):
    after = ball.copy()
    grow(after, 5, mm, SPACING).apply(after)
    shrink(after, 5, mm, SPACING).apply(after)
    different = np.count_nonzero(after != ball)
    assert different <= 0.02 * np.count_nonzero(ball)


def test_the_border_of_the_scan_is_no_outside():
    labels = np.zeros((4, 10, 10), np.uint16)
    labels[:, :5] = 1
    after = labels.copy()
    shrink(labels, 1, 1.0, (1.0, 1.0, 1.0)).apply(after)
    assert (after[:, :4] == 1).all() and not after[:, 4].any()


def test_one_slice_only(ball):
    after = ball.copy()
    grow(ball, 5, 2.0, SPACING, plane=(0, 4)).apply(after)
    assert set(np.nonzero(after != ball)[0]) == {4}
    assert len(grow(ball, 5, 2.0, SPACING, plane=(0, 99))) == 0


def test_thick_slices_do_not_grow_into_each_other(ball):
    after = ball.copy()
    grow(ball, 5, 2.9, SPACING).apply(after)
    assert np.array_equal((after == 5).any((1, 2)), (ball == 5).any((1, 2)))
