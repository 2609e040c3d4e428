"""Painted scans of which the truth is known."""

from __future__ import annotations

import numpy as np

from napari_spineseg.learning.tumour.cases import cases, painted
from napari_spineseg.synthesis.lesions import HELD_OUT_FORMS, TRAINING_FORMS


def test_cases_are_the_same_every_time_and_others_with_another_seed(volumes):
    first, again, other = (painted(volumes[0], "random", seed, HELD_OUT_FORMS) for seed in (1, 1, 2))
    assert np.array_equal(first.scan.voxels, again.scan.voxels)
    assert not np.array_equal(first.scan.voxels, other.scan.voxels)
    assert [c.look for c in cases(volumes[:1], 1, TRAINING_FORMS)] == ["T2", "random"]
