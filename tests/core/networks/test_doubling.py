from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_spineseg.core.networks.doubling import Doubling


def as_torch_has_it(doubling: Doubling) -> nn.ConvTranspose2d:
    plain = nn.ConvTranspose2d(doubling.in_channels, doubling.out_channels, 2, 2)
    plain.load_state_dict(doubling.state_dict())
    return plain


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("training", [True, False])
def test_it_answers_and_learns_as_a_transposed_convolution(training, layout):
    torch.manual_seed(0)
    doubling = Doubling(6, 4).train(training)
    plain = as_torch_has_it(doubling)
    features = torch.randn(2, 6, 5, 7).contiguous(memory_format=layout)
    mine, theirs = features.clone().requires_grad_(), features.clone().requires_grad_()
    wanted = torch.randn(2, 4, 10, 14)
    found, expected = doubling(mine), plain(theirs)
    (found * wanted).sum().backward()
    (expected * wanted).sum().backward()

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(mine.grad, theirs.grad)
    torch.testing.assert_close(doubling.weight.grad, plain.weight.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(doubling.bias.grad, plain.bias.grad, atol=1e-4, rtol=1e-4)


def test_it_keeps_channels_last_and_the_precision_of_autocast():
    doubling = Doubling(4, 8).train()
    features = torch.randn(1, 4, 6, 6).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = doubling(features)
    assert found.dtype == torch.bfloat16
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_without_gradients_it_is_left_to_torch():
    doubling = Doubling(4, 8).train()
    other = copy.deepcopy(doubling).eval()
    features = torch.randn(1, 4, 6, 6)
    with torch.no_grad():
        assert torch.equal(doubling(features), other(features))
