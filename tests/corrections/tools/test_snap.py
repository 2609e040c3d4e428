import numpy as np
import pytest

from napari_spineseg.corrections.tools import copy_from_slice, grow, shrink, snap_to_edge


@pytest.fixture
def image(column):
    """Bone bright, the rest dark, a bit of noise."""
    rng = np.random.default_rng(2)
    return np.where((column > 0) & (column < 100), 200.0, 60.0) + rng.normal(0, 8, column.shape)


@pytest.mark.parametrize("change", [grow, shrink])
def test_an_outline_that_is_off_finds_the_edge_again(column, image, spacing, change):
    off = column.copy()
    change(column, 2, 1.5, spacing).apply(off)
    after = off.copy()
    snap_to_edge(off, image, 2, spacing, 2.0).apply(after)
    wrong = [np.count_nonzero((v == 2) != (column == 2)) for v in (off, after)]
    assert wrong[1] < 0.15 * wrong[0]


def test_it_moves_no_further_than_asked(column, image, spacing):
    off = column.copy()
    shrink(column, 2, 5.0, spacing).apply(off)
    after = off.copy()
    snap_to_edge(off, image, 2, spacing, 1.0).apply(after)
    reach = off.copy()
    grow(off, 2, 1.0, spacing).apply(reach)
    assert not ((after == 2) & (reach != 2)).any()


def test_it_never_swallows_something_thin(spacing):
    labels = np.zeros((3, 20, 20), np.uint16)
    labels[:, 9:11, 4:16] = 201
    image = np.random.default_rng(0).normal(0, 1, labels.shape)
    after = labels.copy()
    snap_to_edge(labels, image, 201, spacing, 3.0).apply(after)
    assert all((plane == 201).any() for plane in after)


def test_copying_replaces_one_structure_and_adds_the_rest(column):
    labels = column.copy()
    labels[5] = 0
    labels[5, 40:44, 8:12] = 2
    one, everything = labels.copy(), labels.copy()
    copy_from_slice(labels, 5, 4, label=2).apply(one)
    copy_from_slice(labels, 5, 4).apply(everything)
    assert np.array_equal(one[5] == 2, column[4] == 2) and set(np.unique(one[5])) == {0, 2}
    assert set(np.unique(everything[5])) == set(np.unique(column[4]))
    assert (everything[5, 40:44, 8:12] == 2).all()
    assert len(copy_from_slice(labels, 0, -1)) == 0
