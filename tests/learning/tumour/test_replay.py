"""A tumour model replays painted tumours, and is guarded by some that replay never shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.datasets.crops import CropSettings
from napari_spineseg.learning.lessons.belonging import objection_to_lesson
from napari_spineseg.learning.lessons.lesson import Lesson
from napari_spineseg.learning.lessons.workbook import _lesson_or_objection
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.learning.tumour.replay import (
    TumourReplay,
    looks_for_tumours_alone,
    square,
    tumour_guard,
)

SPEC = InputSpec(spacing_mm=1.6, neighbours=1, neighbour_mm=4.0, stride=8)


def table(*structures: Structure) -> np.ndarray:
    known = np.zeros(len(Structure), np.uint8)
    known[list(structures)] = range(1, len(structures) + 1)
    return known


def test_only_models_that_know_nothing_else_are_tumour_models():
    assert looks_for_tumours_alone(table(Structure.TUMOUR))
    assert not looks_for_tumours_alone(table(Structure.VERTEBRA, Structure.TUMOUR))
    assert not looks_for_tumours_alone(table(Structure.DISC))


def test_replay_shows_tumours_in_patches_of_the_size_of_lessons():
    crops = square(CropSettings(), SPEC)
    replay = TumourReplay(SPEC, 1)
    batch = replay.batch(3, 5)
    assert batch.image.shape == (5, 3, crops.height_px, crops.width_px)
    assert batch.target.shape == batch.weight.shape == (5, crops.height_px, crops.width_px)
    assert set(batch.target.unique().tolist()) == {0, 1}
    assert torch.equal(batch.image, TumourReplay(SPEC, 1).batch(3, 5).image)
    assert square(CropSettings(), SPEC, shrink=2).height_px < crops.height_px


def test_every_guarded_slice_shows_a_tumour():
    guard = tumour_guard(SPEC)
    assert len(guard) >= 40
    for scan in guard:
        assert scan.slices and scan.volume.structures[scan.slices].any((1, 2)).all()
        assert set(np.unique(scan.volume.structures)) == {0, 1}
        assert scan.volume.spacing_mm == pytest.approx(SPEC.spacing_mm, rel=0.05)


def test_a_lone_tumour_is_learnt_from_however_little_it_says_of_the_image(toy, tmp_path):
    scan, labels = toy(1, "1_t2")
    marked = labels.labels.copy()
    # In the image there is nothing: of an organ this would be refused.
    marked[np.unravel_index(np.flatnonzero(marked == 2)[:200], marked.shape)] = 301
    store = CorrectionsStore(tmp_path / "store", create=True)
    store.add_correction(scan, replace(labels, labels=marked), labels)
    card = ModelCard(name="t", network="penn", structures=["background", "tumour"], input=SPEC)
    settings = LearnSettings(corrections=store.path, model="tumour")

    def parent(volume, slices):
        return np.zeros((len(slices), *volume.values.shape[1:]))

    found = _lesson_or_objection(store.find(scan), settings, card, table(Structure.TUMOUR), parent)
    assert isinstance(found, Lesson), found
    assert found.taught == (1,) and (found.volume.structures == 1).any()
    assert objection_to_lesson(found, parent)
