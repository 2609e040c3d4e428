"""How the default network begins."""

from __future__ import annotations

import pytest
import torch

from napari_spineseg.core.networks import build_network


def first_weights(in_channels: int) -> torch.Tensor:
    """(in_channels,) energy that each slice has in the first convolution."""
    torch.manual_seed(0)
    network = build_network("spine_net", {"in_channels": in_channels, "classes": 4, "widths": [32, 16]})
    weight = network.encoder[0][0][0].weight.detach()
    return weight.square().sum((0, 2, 3)).reshape(in_channels, -1).sum(1)


@pytest.mark.parametrize("in_channels", [3, 5])
def test_the_slice_that_is_asked_about_is_heard_first(in_channels):
    energy = first_weights(in_channels)
    middle = in_channels // 2
    assert energy.argmax() == middle
    others = torch.cat([energy[:middle], energy[middle + 1 :]])
    assert (others < 0.02 * energy[middle]).all() and (others > 0).all()


def test_a_slice_alone_begins_as_torch_has_it():
    torch.manual_seed(0)
    network = build_network("spine_net", {"in_channels": 1, "classes": 4, "widths": [32, 16]})
    bound = 1 / (4 * 9) ** 0.5  # of torch's default for 4 folded channels and 3 x 3 pixels
    assert float(network.encoder[0][0][0].weight.detach().abs().max()) == pytest.approx(bound, rel=0.05)
