"""What `reproduce chen2024` counts, on cases whose answer is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.chen2024.measure import PUBLISHED, Tally, count
from napari_spineseg.learning.chen2024.table import as_markdown
from napari_spineseg.learning.tumour.cases import painted
from napari_spineseg.synthesis.lesions import TRAINING_FORMS
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom


@pytest.fixture(scope="module")
def volume() -> PreparedVolume:
    settings = PhantomSettings(seed=5, spacing_mm=(4, 1, 1), field_of_view_mm=(28, 150, 120))
    scan, truth = make_phantom(settings)
    structures = levels_to_structures(truth.grid.to_orientation().apply(truth.labels))
    grey = (scan.sagittal() / np.percentile(scan.sagittal(), 99.5) * 255).clip(0, 255).astype(np.uint8)
    return PreparedVolume("p", "p", "image", grey, structures, 4.0, 1.0)


@pytest.fixture(scope="module")
def case(volume):
    for seed in range(20):
        made = painted(volume, "T2", seed, TRAINING_FORMS)
        if made.tumours.max() == 2:
            return made
    raise AssertionError("no case with two tumours in 20 seeds")


def said(case, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a model says that marks `mask` (sagittal view) and is sure."""
    turn = case.scan.grid.to_orientation()
    structures = turn.invert(np.where(mask, np.uint8(Structure.TUMOUR), np.uint8(0)))
    return structures, np.full(structures.shape, 0.05, np.float16)


def tally_of(case, mask: np.ndarray) -> dict:
    tally = Tally()
    count(case, *said(case, mask), [tally])
    return tally.figures()


def test_the_truth_scores_one(case):
    figures = tally_of(case, case.tumours > 0)
    assert figures["dice"] == figures["lesion_sensitivity"] == figures["lesion_dice"] == 1.0
    assert figures["false_per_scan"] == figures["volume_error"] == 0
    assert figures["lesions"] == 2


def test_a_missed_tumour_and_a_false_one_are_counted(case):
    one = case.tumours == 1
    # Deep in a vertebra, and far enough from both tumours to be a finding of its own.
    inside, apart = (
        ndimage.distance_transform_edt(mask, sampling=(4, 1, 1))
        for mask in (case.levels == 1, case.tumours == 0)
    )
    spot = np.unravel_index(np.where(apart > 10, inside, 0).argmax(), inside.shape)
    grids = np.ogrid[tuple(slice(0, n) for n in one.shape)]
    ball = sum(((g - c) * mm) ** 2 for g, c, mm in zip(grids, spot, (4, 1, 1), strict=True)) < 16
    figures = tally_of(case, one | ball)
    assert figures["lesion_sensitivity"] == 0.5
    assert figures["recall"] < 1 and figures["precision"] < 1
    assert figures["false_per_scan"] == 1


def test_half_the_volume_is_half_the_volume(case):
    rows = np.arange(case.tumours.shape[1])[None, :, None]
    halves = np.zeros(case.tumours.shape, bool)
    for number in (1, 2):
        mine = case.tumours == number
        halves |= mine & (rows < np.median(np.argwhere(mine)[:, 1]))
    figures = tally_of(case, halves)
    assert 0.35 < figures["volume_error"] < 0.65 and 0.5 < figures["lesion_dice"] < 0.8


def test_tumour_free_cases_have_look_alikes_and_no_tumour(volume):
    free = painted(volume, "T2", 3, TRAINING_FORMS, tumours=False)
    assert not free.tumours.any() and free.kinds == ()
    plain = (volume.values.astype(np.float32) / 255 / 1.3 * 255).astype(np.uint8)
    assert np.abs(free.scan.voxels.astype(int) - plain).max() > 15
    figures = tally_of(free, np.zeros(free.tumours.shape, bool))
    assert figures["false_per_scan"] == 0 and figures["lesion_sensitivity"] is None


def test_the_table_has_the_published_row_and_says_that_it_is_another_task(case):
    result = {
        "patches": {"precision": 0.5, "recall": 0.5, "accuracy": 0.9, "f1": 0.5, "iou": 0.3333, "dice": 0.5},
        "scans": {"all": tally_of(case, case.tumours > 0)},
        "tumour_free": {"all": tally_of(case, case.tumours > 0)},
    }
    table = as_markdown(json.loads(json.dumps(result)))
    published = next(line for line in table.splitlines() if "as published" in line)
    assert all(f"{value:.3f}" in published for value in PUBLISHED.values())
    assert "| ours, held-out patches | 0.500 |" in table and "not the same task" in table
