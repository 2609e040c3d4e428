"""Smoothing, holes, loose pieces."""

import numpy as np

from napari_spineseg.corrections.tools import erase_islands, erase_structure, fill_holes, keep_largest, smooth


def surface(mask: np.ndarray) -> int:
    """Faces between inside and outside."""
    return sum(int(np.count_nonzero(np.diff(mask.astype(np.int8), axis=axis))) for axis in range(3))


def test_smoothing_keeps_the_volume_and_shortens_the_outline(column, spacing):
    noise = np.random.default_rng(1).random(column.shape) < 0.3
    rough = column.copy()
    rim = (column == 2) & noise
    rim[:, 48:54, 12:22] = False
    rough[rim] = 0
    after = rough.copy()
    smooth(rough, 2, 1.5, spacing).apply(after)
    before_size, size = np.count_nonzero(rough == 2), np.count_nonzero(after == 2)
    assert abs(size / before_size - 1) < 0.02
    assert surface(after == 2) < 0.6 * surface(rough == 2)


def test_smoothing_does_not_melt_thick_slices_together():
    labels = np.zeros((3, 20, 20), np.uint16)
    labels[1, 5:15, 5:15] = 1
    after = labels.copy()
    smooth(labels, 1, 1.5, (5.0, 1.0, 1.0)).apply(after)
    assert not after[0].any() and not after[2].any()


def test_holes_are_filled_in_space_or_slice_by_slice(column):
    labels = column.copy()
    labels[4, 50, 12] = 0  # closed on all sides
    labels[:, 52, 16] = 0  # a tunnel, closed only in its slices
    in_space, in_slices = labels.copy(), labels.copy()
    fill_holes(labels, 2).apply(in_space)
    fill_holes(labels, 2, axis=0).apply(in_slices)
    assert in_space[4, 50, 12] == 2 and in_space[4, 52, 16] == 0
    assert np.array_equal(in_slices, column)


def test_a_cavity_with_something_in_it_is_no_hole(column):
    labels = column.copy()
    labels[4, 50, 12:14] = (0, 301)
    assert len(fill_holes(labels, 2)) == 0


def test_the_largest_piece_stays(column, spacing):
    labels = column.copy()
    labels[0, 0:3, 0:3] = 2
    after = labels.copy()
    edit = keep_largest(labels, 2, spacing)
    edit.apply(after)
    assert np.array_equal(after, column) and "1 loose piece, less than 0.1 ml on all slices." in edit.words
    large = keep_largest(labels, 2, (10.0, 10.0, 10.0))
    assert large.words == "Erased 1 loose piece, 9.0 ml on all slices."


def test_islands_go_by_volume_and_each_structure_keeps_its_largest(column, spacing):
    labels = column.copy()
    labels[0, 0:3, 0:3] = 2  # 9 voxels of 3 mm3 = 0.027 ml
    labels[0, 0:8, 36:44] = 3  # 0.192 ml
    labels[9, 80, 40] = 77  # the only voxel of its structure
    after = labels.copy()
    erase_islands(labels, spacing, 0.03).apply(after)
    assert not (after[0] == 2).any() and (after[0] == 3).any() and (after == 77).sum() == 1
    erase_islands(after, spacing, 0.2, label=3).apply(after)
    assert not (after[0] == 3).any()
    assert np.array_equal(np.where(after == 77, 0, after), column)


def test_a_structure_goes_whole_or_from_one_slice_and_nothing_else_does(column, spacing):
    whole, sliced = column.copy(), column.copy()
    there = int((column == 2).sum())
    erase_structure(column, 2, spacing).apply(whole)
    assert np.array_equal(whole, np.where(column == 2, 0, column))
    edit = erase_structure(column, 2, spacing, (0, 4))
    edit.apply(sliced)
    assert len(edit) == int((column[4] == 2).sum()) < there and "on this slice" in edit.words
    assert np.array_equal(sliced[4], whole[4]) and np.array_equal(
        np.delete(sliced, 4, 0), np.delete(column, 4, 0)
    )
    assert erase_structure(whole, 2, spacing).words == "There is nothing of this structure on all slices."
    assert erase_structure(sliced, 2, spacing, (0, 4)).words.endswith("on this slice.")
