from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_spineseg.core.networks.spine_net import SpineNet, fold
from napari_spineseg.core.networks.spine_net_ready import ReadySpineNet


def lived_in(network: SpineNet) -> SpineNet:
    """The network with norms that are no longer those of the first day."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


@pytest.mark.parametrize(
    ("channels", "classes", "widths"), [(3, 4, (6, 8, 10)), (1, 2, (4, 5)), (5, 3, (7, 4, 4, 4))]
)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_it_is_the_same_function(channels, classes, widths, layout):
    torch.manual_seed(0)
    network = lived_in(SpineNet(channels, classes, widths))
    nn.init.normal_(network.head.bias)
    image = torch.randn(2, channels, 3 * network.stride, 2 * network.stride)
    with torch.inference_mode():
        expected = network(image)
        ready = ReadySpineNet(fold(network)).to(memory_format=layout)
        out = ready(image.contiguous(memory_format=layout))

    assert out.shape == expected.shape
    torch.testing.assert_close(out, expected, atol=1e-4, rtol=1e-4)


def test_the_network_it_was_made_from_stays_as_it_was():
    network = lived_in(SpineNet(3, 4, (4, 8)))
    before = copy.deepcopy(network.state_dict())
    ReadySpineNet(fold(network))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
