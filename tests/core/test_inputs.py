from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.core.sagittal import SagittalSlices


@pytest.mark.parametrize("slice_mm", [0.9, 3.3])
def test_training_and_inference_feed_a_network_the_same(slice_mm):
    spec = InputSpec(spacing_mm=1.0, stride=8)
    volume = np.random.default_rng(0).integers(0, 255, (9, 21, 30)).astype(np.uint8)
    slices = SagittalSlices(volume, (slice_mm, 1.0, 1.0), spec)
    for index in (0, 4, 8):
        trained = network_input(volume, index, slice_mm, spec)
        assert trained.shape == (1, 3, 24, 32)
        torch.testing.assert_close(slices.stack([index]), trained)
