import numpy as np

from napari_spineseg.corrections.tools import fill_between
from napari_spineseg.corrections.tools.fill_between import interpolate


def disc(shape, centre, radius):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def test_a_cone_is_filled_as_a_cone():
    labels = np.zeros((9, 60, 60), np.uint16)
    labels[0][disc((60, 60), (30, 30), 8)] = 3
    labels[8][disc((60, 60), (30, 30), 20)] = 3
    after = labels.copy()
    fill_between(labels, 3, (4.0, 1.0, 1.0)).apply(after)
    truth = np.stack([disc((60, 60), (30, 30), 8 + 12 * n / 8) for n in range(9)])
    dice = 2 * np.sum((after == 3) & truth) / (np.sum(after == 3) + truth.sum())
    assert dice > 0.97


def test_an_oblique_structure_does_not_vanish_halfway():
    """Plain distance interpolation is empty in the middle when the outlines do not overlap."""
    first, second = disc((40, 80), (20, 15), 7), disc((40, 80), (20, 60), 7)
    middle = interpolate(first, second, 0.5, (1.0, 1.0))
    rows, columns = np.nonzero(middle)
    assert abs(columns.mean() - 37.5) < 1 and abs(rows.mean() - 20) < 1
    assert abs(middle.sum() / first.sum() - 1) < 0.15


def test_other_structures_are_spared_and_only_gaps_are_filled(column, spacing):
    labels = column.copy()
    labels[4:6][labels[4:6] == 2] = 0
    labels[4, 50:54, 10:14] = 301  # a tumour in the gap
    after = labels.copy()
    edit = fill_between(labels, 2, spacing)
    edit.apply(after)
    assert (after == 301).sum() == 16
    assert "2 slices" in edit.words
    assert np.array_equal(after[(column == 2) & (labels != 301)], column[(column == 2) & (labels != 301)])


def test_it_works_across_any_axis(column, spacing):
    for axis in range(3):
        labels = column.copy()
        gap = [slice(None)] * 3
        middle = int(np.median(np.nonzero(column == 3)[axis]))
        gap[axis] = slice(middle, middle + 1)
        labels[tuple(gap)][labels[tuple(gap)] == 3] = 0
        fill_between(labels, 3, spacing, axis=axis).apply(labels)
        assert np.array_equal(labels, column)


def test_the_span_limits_it(column, spacing):
    labels = column.copy()
    labels[[3, 6]] = 0
    after = labels.copy()
    fill_between(labels, 1, spacing, span=(2, 4)).apply(after)
    assert (after[3] == 1).any() and not (after[6] == 1).any()
