from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from napari_spineseg.core.engine import build_engine
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.networks.doubling import Doubling
from napari_spineseg.core.networks.packed import PackedLinear, PackedUpsampling, pack_products


def packed_parts(network: nn.Module) -> int:
    return sum(isinstance(module, PackedLinear | PackedUpsampling) for module in network.children())


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(8, 5, 2, 2),
        Doubling(6, 16),
        nn.ConvTranspose2d(4, 3, (3, 2), (3, 2), bias=False),
        nn.ConvTranspose3d(4, 6, (1, 2, 2), (1, 2, 2)),
        nn.ConvTranspose3d(3, 4, 2, 2),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
@torch.inference_mode()
def test_upsampling_is_the_transposed_convolution(layer, batch):
    torch.manual_seed(0)
    sequence = nn.Sequential(copy.deepcopy(layer)).to(torch.bfloat16)
    sides = (3, 7, 10)[-(layer.weight.ndim - 2) :]
    layout = torch.channels_last if len(sides) == 2 else torch.channels_last_3d
    x = torch.randn(batch, layer.in_channels, *sides).to(torch.bfloat16)
    expected = sequence(x)
    pack_products(sequence)

    assert packed_parts(sequence) == 1
    for image in (x, x.contiguous(memory_format=layout)):
        found = sequence(image)
        assert found.shape == expected.shape
        assert found.is_contiguous(memory_format=layout)
        torch.testing.assert_close(found.float(), expected.float(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_a_linear_layer_is_the_same_product(bias):
    torch.manual_seed(0)
    sequence = nn.Sequential(nn.Linear(12, 7, bias=bias)).to(torch.bfloat16)
    x = torch.randn(2, 5, 12).to(torch.bfloat16)
    expected = sequence(x)
    pack_products(sequence)
    assert packed_parts(sequence) == 1
    torch.testing.assert_close(sequence(x).float(), expected.float(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(4, 4, 3, stride=2),
        nn.ConvTranspose2d(4, 4, 2, 2, groups=2),
        nn.ConvTranspose2d(4, 4, 2, 2, padding=1),
        nn.Conv2d(4, 4, 1),
    ],
)
def test_what_overlaps_or_is_no_such_product_stays(layer):
    sequence = nn.Sequential(layer).to(torch.bfloat16)
    pack_products(sequence)
    assert list(sequence) == [layer]


def test_in_float32_nothing_changes():
    sequence = nn.Sequential(nn.Linear(4, 4), Doubling(4, 4))
    before = list(sequence)
    pack_products(sequence)
    assert list(sequence) == before


@pytest.mark.parametrize("name", ["spine_net", "modified_unet", "penn"])
@torch.inference_mode()
def test_a_whole_network_answers_as_before(name, monkeypatch):
    torch.manual_seed(0)
    network = build_network(name).eval()
    channels = getattr(network, "in_channels", 1)
    image = torch.randn(1, channels, 128, 128)
    with monkeypatch.context() as patch:
        patch.setattr("napari_spineseg.core.engine.pack_products", lambda network: None)
        plain = build_engine(network, torch.device("cpu"), torch.bfloat16)(image)
    quick = build_engine(network, torch.device("cpu"), torch.bfloat16)

    assert any(isinstance(module, PackedUpsampling) for module in quick.network.modules())
    torch.testing.assert_close(quick(image), plain, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("refusal", [AttributeError, RuntimeError, NotImplementedError])
def test_a_torch_without_such_products_goes_on_without(monkeypatch, untried, refusal):
    def refuse(*args):
        raise refusal("no such operator")

    monkeypatch.setattr(PackedLinear, "__init__", refuse)
    sequence = nn.Sequential(nn.Linear(4, 4)).to(torch.bfloat16)
    pack_products(sequence)
    assert isinstance(sequence[0], nn.Linear)


def test_a_torch_whose_products_are_wrong_goes_on_without(monkeypatch, untried):
    monkeypatch.setattr(PackedLinear, "forward", lambda self, x: x.repeat(1, 2))
    sequence = nn.Sequential(nn.Linear(4, 4)).to(torch.bfloat16)
    pack_products(sequence)
    assert isinstance(sequence[0], nn.Linear)
