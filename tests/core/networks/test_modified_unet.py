from __future__ import annotations

import torch
from torch import nn

from napari_spineseg.core.networks import build_network
from napari_spineseg.core.networks.modified_unet import ModifiedUNet


def test_it_has_as_many_parameters_as_the_published_one():
    network = ModifiedUNet()

    trainable = sum(parameter.numel() for parameter in network.parameters())
    running = sum(b.numel() for b in network.buffers() if b.is_floating_point())

    assert trainable == 8_034_548
    assert round((trainable + running) / 1e6, 2) == 8.04


def test_shapes_and_scales():
    network = build_network("modified_unet").eval()
    seen = []
    for block in network.encoder:
        block.register_forward_hook(lambda _, __, out: seen.append((out.shape[1], out.shape[2])))

    with torch.inference_mode():
        logits = network(torch.zeros(2, 1, 64, 64))

    assert logits.shape == (2, 4, 64, 64)
    assert seen == [(16, 64), (32, 32), (64, 16), (128, 8), (256, 4), (512, 4)]


def test_leaky_relu_stands_in_the_upsample_block_only():
    network = ModifiedUNet()
    leaky = [name for name, module in network.named_modules() if isinstance(module, nn.LeakyReLU)]

    assert leaky == ["upsample.0.2"]
    assert network.upsample[0][2].negative_slope == 0.1
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == (
        [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, *[0.2] * 4, *[0.1] * 4]
    )


def test_weights_start_glorot_uniform():
    weight = ModifiedUNet().encoder[2][0].weight
    bound = (6 / (32 * 9 + 64 * 9)) ** 0.5

    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.95 * bound
