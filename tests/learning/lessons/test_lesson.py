import numpy as np
import pytest

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.learning.lessons.lesson import lesson_of
from napari_spineseg.scan import Segmentation

SPEC = InputSpec(spacing_mm=2.0, stride=8)
TABLE = np.array([0, 1, 2, 3, 0], np.uint8)


@pytest.fixture
def made(tmp_path, toy):
    """`made(change, predicted)`: the lesson of a toy whose labels and prediction were changed."""

    def make(change=None, predicted=None, seen=None, weight=5):
        scan, labels = toy(0)
        truth = labels.labels.copy()
        if change:
            change(truth)
        prediction = None
        if predicted:
            guess = labels.labels.copy()
            predicted(guess)
            prediction = Segmentation(guess, labels.affine)
        store = CorrectionsStore(tmp_path / "store", create=True)
        store.add_correction(scan, Segmentation(truth, labels.affine), prediction)
        entry = store.find(scan)
        seen = np.zeros(truth.shape, np.uint8) if seen is None else seen

        def parent(volume, slices):
            return seen[list(slices)]

        return lesson_of(entry, scan, entry.latest.load(), SPEC, TABLE, parent, weight)

    return make


def test_changes_and_their_borders_count_more(made):
    lesson = made(predicted=lambda labels: labels.__setitem__((labels == 2), 0))
    weights = lesson.volume.weights
    assert set(np.unique(weights)) == {1, 5}
    heavy = weights == 5
    assert heavy.sum() > lesson.changed_voxels > 0 and heavy.mean() < 0.5


def test_a_structure_that_nobody_labelled_teaches_nothing(made):
    seen = np.zeros((9, 80, 56), np.uint8)
    seen[4, 10:14, 50:54] = 3

    def without_canal(labels):
        labels[labels == 100] = 0

    lesson = made(change=without_canal, predicted=without_canal, seen=seen)
    assert lesson.taught == (1, 2)
    assert (lesson.volume.structures[seen == 3] == 255).all()
    assert (lesson.volume.structures[seen == 0] != 255).all()


def test_a_structure_that_the_person_took_away_is_background(made):
    def without_discs(labels):
        labels[labels > 200] = 0

    lesson = made(change=without_discs, predicted=lambda labels: None)
    assert 2 in lesson.taught and not (lesson.volume.structures == 255).any()


def test_labels_without_a_prediction_are_believed_near_themselves_only(made):
    seen = np.full((9, 80, 56), 1, np.uint8)
    lesson = made(change=lambda labels: labels.__setitem__((slice(None), slice(0, 40)), 0), seen=seen)
    structures = lesson.volume.structures
    assert lesson.volume.weights is None and lesson.changed_voxels is None
    # Slices without labels, and what the parent sees 30 mm above the labels, are unknown.
    assert (structures[0] == 255).all() and (structures[4, :20] == 255).all()
    assert (structures[4, 42:] != 255).any()


def test_the_grid_is_the_network_s(made, toy):
    lesson = made()
    assert lesson.volume.spacing_mm == 2.0 and lesson.volume.slice_mm == 4.0
    assert lesson.volume.values.dtype == np.uint8 and lesson.volume.values.shape == (9, 80, 56)
    assert lesson.labelled_slices == list(range(1, 8))
