import numpy as np
import pytest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.tools import merge, relabel_column, split_at_line, split_between
from napari_spineseg.errors import SettingsError


def test_one_level_is_set_and_the_rest_follows(column):
    after = column.copy()
    relabel_column(column, 1, "L4").apply(after)
    assert sorted(np.unique(after)) == [0, 2, 3, 4, 5, 100, 202, 203, 204, 205]
    for old, new in ((1, 2), (4, 5), (201, 202), (204, 205), (100, 100)):
        assert np.array_equal(after == new, column == old)


def test_a_disc_can_name_the_level_too(column):
    after = column.copy()
    relabel_column(column, 202, "L3/L4").apply(after)
    assert np.array_equal(after == 203, column == 202) and np.array_equal(after == 3, column == 2)


@pytest.mark.parametrize(
    ("numbering", "name", "label"),
    [
        (Numbering(lumbar=6), "L6", 1),
        (Numbering(lumbar=6), "L5", 2),
        (Numbering(lumbar=4), "T12", 5),
        (Numbering(thoracic=13), "T13", 6),
        (Numbering(), "T12", 6),
    ],
)
def test_unusual_spines(column, numbering, name, label):
    after = column.copy()
    relabel_column(column, 3, name, numbering).apply(after)
    assert np.array_equal(after == label, column == 3)
    assert numbering.vertebra(label) == name


def test_what_would_be_sacrum_is_erased_and_said(column):
    after = column.copy()
    edit = relabel_column(column, 1, "S1")
    edit.apply(after)
    assert "L5" in edit.words and "L5/S1" in edit.words and "erased" in edit.words
    assert np.array_equal(after == 1, column == 2) and not after[column == 1].any()


@pytest.mark.parametrize("label,name", [(1, "L6"), (1, "T13"), (100, "L3"), (2, "nonsense")])
def test_levels_that_are_not_there_are_refused(column, label, name):
    with pytest.raises(SettingsError):
        relabel_column(column, label, name)


@pytest.fixture
def merged(column) -> np.ndarray:
    """L4 and L3 as one instance, what lies above numbered one too low."""
    labels = column.copy()
    table = {3: 2, 203: 2, 4: 3, 204: 203}
    for old, new in table.items():
        labels[column == old] = new
    labels[2:8, 37:44, 14:18] = np.where(labels[2:8, 37:44, 14:18] == 0, 2, labels[2:8, 37:44, 14:18])
    return labels


def test_a_merged_vertebra_is_split_at_its_waist_and_the_column_renumbered(merged, column, spacing):
    after = merged.copy()
    split_between(merged, 2, (5, 50, 16), (5, 30, 16), spacing).apply(after)
    assert np.array_equal(after == 4, column == 4) and np.array_equal(after == 204, column == 204)
    for level in (2, 3):
        ours, truth = after == level, column == level
        assert 2 * (ours & truth).sum() / (ours.sum() + truth.sum()) > 0.85
    assert set(np.unique(after[merged == 2])) == {2, 3}


@pytest.mark.parametrize(
    "ends", [((5, 41, 5), (5, 41, 30)), ((5, 41, 12), (5, 41, 13)), ((5, 41, 30), (5, 41, 5))]
)
def test_a_line_splits_and_goes_on_beyond_its_ends(merged, spacing, ends):
    after = merged.copy()
    split_at_line(merged, 2, *ends, spacing).apply(after)
    rows = np.nonzero(merged == 2)[1]
    assert (after[merged == 2] == np.where(rows < 41, 3, 2)).all()


def test_a_split_can_make_any_other_structure(column, spacing):
    after = column.copy()
    split_at_line(column, 100, (4, 40, 30), (4, 40, 34), spacing, new_label=301).apply(after)
    assert (after == 301).any() and (after == 100).any()
    assert np.array_equal((after == 301) | (after == 100), column == 100)


@pytest.mark.parametrize(
    "points", [((0, 0, 0), (5, 50, 16)), ((5, 50, 16), (5, 50, 16)), ((5, 50, 16), (5, 999, 16))]
)
def test_points_outside_of_the_structure_are_refused(merged, spacing, points):
    with pytest.raises(SettingsError):
        split_between(merged, 2, *points, spacing)


def test_a_line_beside_the_structure_is_refused(column, spacing):
    with pytest.raises(SettingsError):
        split_at_line(column, 2, (5, 0, 0), (5, 0, 40), spacing)


def test_merging_closes_the_gap_and_drops_the_disc_between(column):
    after = column.copy()
    merge(column, 2, 3, renumber=True).apply(after)
    assert sorted(np.unique(after)) == [0, 1, 2, 3, 100, 201, 202, 203]
    assert np.array_equal(after == 2, (column == 2) | (column == 3))
    assert np.array_equal(after == 202, column == 202) and np.array_equal(after == 203, column == 204)
    assert not after[column == 203].any()
    with pytest.raises(SettingsError):
        merge(column, 1, 3, renumber=True)


def test_splitting_and_merging_are_inverse_but_for_the_disc(column, spacing):
    labels = merge_all(column)
    split_at_line(labels, 2, (5, 43, 8), (5, 43, 20), spacing).apply(labels)
    assert np.array_equal(labels == 4, column == 4)


def merge_all(column: np.ndarray) -> np.ndarray:
    labels = column.copy()
    merge(labels, 2, 3, renumber=True).apply(labels)
    return labels
