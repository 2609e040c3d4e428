import numpy as np
import pytest

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks import build_network
from napari_spineseg.corrections.features import LocalFeatures
from napari_spineseg.scan import Scan

BOX = (slice(1, 4), slice(20, 36), slice(10, 30))


@pytest.fixture
def features():
    arguments = {"widths": [2, 4]}
    card = ModelCard(name="tiny", network="spine_net", arguments=arguments, input=InputSpec(stride=4))
    model = LoadedModel(build_network("spine_net", arguments).eval(), card)
    voxels = np.random.default_rng(0).normal(100, 20, (5, 60, 50)).astype(np.float32)
    affine = np.array([[4.0, 0, 0, 0], [0, 0, -1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])
    return LocalFeatures(Scan(voxels, affine), model)


def test_a_click_never_waits_for_the_network(features):
    assert features.odds(BOX, Structure.VERTEBRA) is None


def test_what_was_looked_at_is_known_as_odds(features):
    for index in (1, 2, 3):
        features.look(index)
    odds = np.stack([features.odds(BOX, s) for s in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)])
    assert odds.shape == (3, 3, 16, 20) and np.isfinite(odds).all()
    shares = 1 / (1 + np.exp(-odds))
    assert (shares.sum(0) < 1).all()  # the rest is background
    assert features.odds(BOX, Structure.TUMOUR) is None


def test_slices_between_are_interpolated_and_far_ones_unknown(features):
    features.look(1)
    assert np.any(features.odds(BOX, Structure.DISC)[1])  # 4 mm away
    assert not np.any(features.odds(BOX, Structure.DISC)[2])  # 8 mm
    features.look(3)
    first, between, last = features.odds(BOX, Structure.DISC)
    assert np.allclose(between, (first + last) / 2, atol=1e-3)


def test_the_slice_that_is_shown_is_looked_at_first(features):
    assert features.wanted(2) == [2, 1, 3, 0, 4]
    features.look(2)
    assert features.wanted(2) == [1, 3, 0, 4] and features.wanted(4)[0] == 4
