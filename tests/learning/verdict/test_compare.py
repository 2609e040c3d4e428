import math

import numpy as np
import pytest

from napari_spineseg import segment as segment_module
from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.learning.verdict.compare import GONE, compare_models
from napari_spineseg.models.versions import add_version


@pytest.fixture
def two_models(spineseg_home, tiny_weights, monkeypatch, small_scan):
    """Two versions whose results are known: the second loses one vertebra and gains a canal."""
    add_version("tiny", tiny_weights)
    add_version("tiny", tiny_weights)
    first = np.zeros(small_scan.voxels.shape, np.uint16)
    first[2:8, 2:8] = 1
    first[10:14, 2:8] = 2
    second = np.where(first == 2, 0, first)
    second[16:18] = 100
    made = {"tiny@1": first, "tiny@2": second}

    def fake(scan, settings, control=None):
        labels = segment_module.Segmentation(made[settings.model], scan.affine)
        return segment_module.SegmentResult(labels, None, {}, "")

    monkeypatch.setattr(segment_module, "segment", fake)
    return first, second


def test_the_difference_layer_shows_the_changes_and_nothing_else(two_models, small_scan):
    first, second = two_models
    found = compare_models(small_scan, "tiny@1", "tiny@2")
    labels = found.difference.labels
    assert np.array_equal(labels > 0, levels_to_structures(first) != levels_to_structures(second))
    assert (labels[10:14, 2:8] == GONE).all() and (labels[16:18] == 3).all()


def test_it_says_how_far_they_agree(two_models, small_scan):
    found = compare_models(small_scan, "tiny@1", "tiny@2")
    assert found.dice["vertebra"] == pytest.approx(2 * 36 / (36 + 60)) and found.dice["spinal canal"] == 0
    assert math.isnan(found.dice["disc"]) and "differ in" in found.sentence
    assert found.ml["vertebra"][0] > found.ml["vertebra"][1] > 0


def test_a_model_compared_with_itself_says_the_same(two_models, small_scan):
    found = compare_models(small_scan, "tiny@1", "tiny@1")
    assert found.sentence == "tiny@1 and tiny@1 say the same." and found.dice["mean"] == 1
