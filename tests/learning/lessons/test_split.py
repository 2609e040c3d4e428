import numpy as np

from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.learning.lessons.split import split_lessons


def lesson(name, labelled=12, slices=16, patient=None):
    structures = np.zeros((slices, 8, 8), np.uint8)
    structures[2 : 2 + labelled, 3:5, 3:5] = 1
    volume = PreparedVolume(name, patient or name, "image", structures, structures, 4.0, 0.5)
    return Lesson(name, name, 1, name, volume.patient, volume, (1,), None)


def test_slices_are_held_back_in_blocks_of_few_scans():
    split = split_lessons([lesson("a"), lesson("b")])
    for name in "ab":
        assert not set(split.learn[name]) & set(split.held_back[name])
        assert 2 <= len(split.held_back[name]) <= 4
    assert split.honest and "each of the 2 scans" in split.sentence


def test_patients_are_held_back_of_many():
    split = split_lessons([lesson(f"{p}{v}", patient=p) for p in "abcde" for v in (1, 2)], seed=3)
    away = {name[0] for name in split.held_back}
    assert len(away) == 1 and not away & {name[0] for name in split.learn}
    assert set(split.learn) | set(split.held_back) == {f"{p}{v}" for p in "abcde" for v in (1, 2)}


def test_one_slice_cannot_be_held_back_and_that_is_said():
    split = split_lessons([lesson("a", labelled=1)])
    assert not split.honest and "too few" in split.sentence


def test_what_was_learnt_before_is_only_learnt_again():
    split = split_lessons([lesson("new")], [lesson("old")])
    assert "old" in split.learn and "old" not in split.held_back


def test_seeds_hold_back_other_slices_and_the_same_seed_the_same():
    found = {tuple(split_lessons([lesson("a")], seed=s).held_back["a"]) for s in range(8)}
    assert len(found) > 1
    assert split_lessons([lesson("a")], seed=5) == split_lessons([lesson("a")], seed=5)
