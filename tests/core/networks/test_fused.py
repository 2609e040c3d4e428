from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_spineseg.core.networks import build_network, fused
from napari_spineseg.core.networks.fused import FusedConvolution, fuse_activations
from napari_spineseg.core.networks.spine_net import fold

PRECISIONS = [torch.float32, torch.bfloat16]


def fused_parts(network: nn.Module) -> int:
    return sum(isinstance(module, FusedConvolution) for module in network.modules())


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("activation", [nn.ReLU(inplace=True), nn.LeakyReLU(0.3)])
@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 5, 3, padding=1),
        nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(4, 6, 5, dilation=2, padding=4, groups=2),
        nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1)),
    ],
)
@torch.inference_mode()
def test_it_is_the_convolution_and_then_the_activation(convolution, activation, dtype):
    torch.manual_seed(0)
    sequence = nn.Sequential(copy.deepcopy(convolution), nn.Identity(), copy.deepcopy(activation)).to(dtype)
    axes = convolution.weight.ndim - 2
    image = torch.randn(2, convolution.in_channels, *(6, 20, 24)[-axes:]).to(dtype)
    expected = sequence(image)
    fuse_activations(sequence)

    assert fused_parts(sequence) == 1
    found = sequence(image)
    assert (found < 0).any() == isinstance(activation, nn.LeakyReLU)
    torch.testing.assert_close(found.float(), expected.float(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["spine_net", "modified_unet"])
@torch.inference_mode()
def test_a_whole_network_answers_as_before(name):
    torch.manual_seed(0)
    plain = fold(build_network(name))
    quick = copy.deepcopy(plain)
    fuse_activations(quick)
    channels = next(module for module in plain.modules() if isinstance(module, nn.Conv2d)).in_channels
    if name == "spine_net":
        channels //= 4
    image = torch.randn(1, channels, 64, 96)

    assert fused_parts(quick) >= 10
    assert not any(isinstance(module, nn.ReLU) for module in quick.modules())
    torch.testing.assert_close(quick(image), plain(image), rtol=1e-3, atol=1e-4)


def test_what_has_no_activation_behind_it_or_pads_otherwise_stays():
    sequence = nn.Sequential(
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3),
        nn.Dropout(),
        nn.ReLU(),
        nn.Conv2d(2, 2, 1),
    )
    before = list(sequence)
    fuse_activations(sequence)
    assert list(sequence) == before


@pytest.mark.parametrize("refusal", [AttributeError, RuntimeError, NotImplementedError])
def test_a_torch_without_such_convolutions_goes_on_without(monkeypatch, untried, refusal):
    def refuse(*args):
        raise refusal("no such operator")

    monkeypatch.setattr(FusedConvolution, "__init__", refuse)
    sequence = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU())
    fuse_activations(sequence)
    assert isinstance(sequence[0], nn.Conv2d)


def test_a_torch_whose_convolutions_are_wrong_goes_on_without(monkeypatch, untried):
    monkeypatch.setattr(FusedConvolution, "forward", lambda self, x: x)
    sequence = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU())
    fuse_activations(sequence)
    assert isinstance(sequence[0], nn.Conv2d)


def test_trying_it_draws_nothing_from_the_chance_of_a_training(untried):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    assert fused._works(torch.float32, 2) and fused._works(torch.bfloat16, 3)
    assert torch.equal(torch.rand(1), expected)
