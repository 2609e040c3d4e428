import numpy as np

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks import build_network
from napari_spineseg.corrections.features import LocalFeatures
from napari_spineseg.scan import Scan


def test_the_network_sees_a_box_as_shares():
    arguments = {"widths": [2, 4]}
    card = ModelCard(name="tiny", network="spine_net", arguments=arguments, input=InputSpec(stride=4))
    model = LoadedModel(build_network("spine_net", arguments).eval(), card)
    voxels = np.random.default_rng(0).normal(100, 20, (5, 60, 50)).astype(np.float32)
    affine = np.array([[4.0, 0, 0, 0], [0, 0, -1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1]])
    features = LocalFeatures(Scan(voxels, affine), model)
    box = (slice(1, 4), slice(20, 36), slice(10, 30))
    shares = features(box)
    assert shares.shape[1:] == (3, 16, 20)
    assert np.isfinite(shares).all() and shares.min() >= 0 and shares.max() <= 1
    assert np.array_equal(features(box), shares)
