import numpy as np
import pytest

from napari_spineseg.errors import DatasetError
from napari_spineseg.learning.ahmed2024.parts import split, with_neighbour
from napari_spineseg.learning.ahmed2024.slices import SliceSet, Stack


def slices_of(patients: dict[str, int], splits: dict[str, str] | None = None) -> SliceSet:
    """Patients with so many slices each, 8 × 8 pixels."""
    stacks = []
    for patient, count in patients.items():
        images = np.zeros((count, 8, 8), np.uint8)
        numbers = np.arange(50, 50 + count)
        where = (splits or {}).get(patient, "")
        stacks.append(
            Stack(f"{patient}_t2", patient, where, images, images, np.ones(count, bool), numbers, (0.9, 1, 1))
        )
    rows = [(s, p) for s, stack in enumerate(stacks) for p in range(len(stack.images))]
    stack, place = np.array(rows).T
    blank = np.zeros((len(rows), 8, 8), np.uint8)
    return SliceSet(stacks, stack, place, blank, blank)


TEN = slices_of({str(n): 10 for n in range(10)})


def test_slices_are_split_nine_to_one_and_the_test_part_chooses():
    parts = split(TEN, "slices", 0, 1, seed=3)
    assert len(parts.test) == 10
    assert np.array_equal(parts.choose, parts.test)
    assert sorted([*parts.train, *parts.test]) == list(range(100))


def test_the_seed_draws_the_split():
    first, again, other = (split(TEN, "slices", 0, 1, seed).test for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("protocol", ["slices", "patients"])
def test_folds_test_everything_once(protocol):
    tested = [split(TEN, protocol, fold, 10, seed=0).test for fold in range(10)]
    assert sorted(np.concatenate(tested)) == list(range(100))


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (3, 0), (3, 2)])
def test_no_patient_is_on_two_sides(folds, fold):
    parts = split(TEN, "patients", fold, folds, seed=0)
    sides = [set(TEN.patients[rows]) for rows in (parts.train, parts.choose, parts.test)]
    assert all(sides)
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert with_neighbour(TEN, parts) == 0


@pytest.mark.parametrize("protocol", ["slices", "patients"])
def test_what_is_tested_comes_shuffled_as_the_paper_piled_it(protocol):
    slices = slices_of({str(n): 50 for n in range(10)})
    test = split(slices, protocol, 0, 1, seed=0).test
    assert (np.abs(np.diff(test)) == 1).mean() < 0.2


def test_a_given_split_is_kept():
    slices = slices_of({str(n): 5 for n in range(6)}, {"4": "val", "5": "test"})
    parts = split(slices, "patients", 0, 1, seed=0)
    assert set(slices.patients[parts.test]) == {"4", "5"}


def test_neighbours_in_training_are_counted():
    slices = slices_of({"1": 5, "2": 2})
    parts = split(slices, "slices", 0, 1, seed=0)
    by_hand = type(parts)(np.array([0, 1, 5]), np.array([2, 4, 6]), np.array([2, 4, 6]))
    # Slice 2 follows slice 1, and 6 (the second of patient 2) follows 5; 4 has only 3, which is nowhere.
    assert with_neighbour(slices, by_hand) == 2


def test_nearly_every_random_test_slice_has_a_neighbour_in_training():
    assert with_neighbour(TEN, split(TEN, "slices", 0, 1, seed=0)) >= 9


@pytest.mark.parametrize(("protocol", "patients"), [("slices", {"1": 3}), ("patients", {"1": 30, "2": 30})])
def test_too_little_data_is_refused(protocol, patients):
    with pytest.raises(DatasetError, match="too few"):
        split(slices_of(patients), protocol, 0, 1, seed=0)
