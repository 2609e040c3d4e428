"""PENN: patches out of an image, through the network, and back to full size."""

from __future__ import annotations

import pytest
import torch

from napari_spineseg.core.networks import build_network
from napari_spineseg.core.networks.penn import (
    PENN,
    Again,
    PatchClassifier,
    PatchReconstruction,
    blend,
    centres_on_grid,
    extract,
    mask_blocks,
    segment_by_patches,
)
from napari_spineseg.core.networks.spine_net import fold


@pytest.fixture
def network() -> PENN:
    torch.manual_seed(0)
    return PENN(3, 2, (4, 8, 8)).eval()


def test_a_patch_comes_out_at_its_own_size(network):
    assert network.stride == 8
    for size in ((8, 16), (64, 40)):
        assert network(torch.randn(2, 3, *size)).shape == (2, 2, *size)


def test_the_registry_builds_the_bundled_size():
    network = build_network("penn", {"in_channels": 3, "classes": 2, "widths": [24, 48, 96, 160, 224]})
    assert isinstance(network, PENN) and network.stride == 32
    assert 2.0e6 < sum(p.numel() for p in network.parameters()) < 2.5e6


def test_folding_the_norms_changes_no_answer(network):
    image = torch.randn(1, 3, 32, 32)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    folded = fold(network)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert torch.allclose(folded(image), network(image), atol=1e-4)


def test_a_network_that_grows_deeper_says_what_it_said_before(network):
    deeper = PENN(3, 2, (4, 8, 8), again=(0, 1, 2)).eval()
    missing, unexpected = deeper.load_state_dict(network.state_dict(), strict=False)
    assert missing and not unexpected
    image = torch.randn(1, 3, 32, 32)
    assert torch.allclose(deeper(image), network(image), atol=1e-5)
    # And what was added learns from the first step on
    deeper.train()(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(m.change[1].weight.grad.abs().sum() > 0 for m in deeper.modules() if isinstance(m, Again))
    folded = fold(deeper.eval())
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert torch.allclose(folded(image), deeper(image), atol=1e-4)


def test_every_weight_learns(network):
    network.train()
    network(torch.randn(2, 3, 32, 32)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_a_patch_is_the_window_around_its_centre():
    image = torch.arange(3 * 20 * 30.0).reshape(3, 20, 30)
    patch = extract(image, [(10, 12)], 8)[0]
    assert torch.equal(patch, image[:, 6:14, 8:16])


def test_beyond_the_image_a_patch_is_as_dark_as_it_gets():
    image = torch.rand(1, 16, 16) + 1
    patch = extract(image, [(0, 0)], 8)[0, 0]
    assert torch.equal(patch[4:, 4:], image[0, :4, :4])
    assert (patch[:4] == image.min()).all()


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (32, 200)])
def test_blending_untouched_patches_gives_the_image_back(size):
    image = torch.randn(2, *size)
    centres = centres_on_grid(*size, 64, 8)
    assert torch.allclose(blend(extract(image, centres, 64), centres, *size), image, atol=1e-4)


def test_where_patches_disagree_the_middle_of_a_patch_counts_most():
    patches = torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)])
    blended = blend(patches, [(16, 16), (16, 32)], 32, 48)[0, 16]
    assert blended[8] == 0 and blended[40] == 1
    assert 0.4 < blended[24] < 0.6 and (blended.diff() >= -1e-6).all()


def test_candidates_alone_are_looked_at(network):
    seen = []

    def run(patch):
        seen.append(patch.shape)
        return network(patch)

    with torch.inference_mode():
        logits = segment_by_patches(run, torch.randn(3, 50, 70), 32, 8, [(20, 20)])
    assert logits.shape == (2, 50, 70) and seen == [(1, 3, 32, 32)]
    assert (logits[:, :, 40:] == 0).all() and logits[:, 20, 20].abs().sum() > 0


def test_patches_on_a_grid_agree_with_the_whole_slice_in_the_middle_of_patches(network):
    image = torch.randn(3, 64, 64)
    with torch.inference_mode():
        whole = network(image[None])[0]
        patched = segment_by_patches(network, image, 64, 8)
    assert torch.allclose(whole, patched, atol=1e-4)


def test_masks_are_blocks_and_the_same_in_all_channels():
    image = torch.randn(4, 3, 64, 64) + 10
    blanked, mask = mask_blocks(image, 0.5, 16, torch.Generator().manual_seed(0))
    assert mask.shape == (4, 1, 64, 64) and 0.3 < mask.mean() < 0.7
    assert torch.equal(blanked == 0, mask.expand_as(image) == 1)
    assert (mask.reshape(4, 4, 16, 4, 16).std((2, 4)) == 0).all()


def test_pretraining_tasks_train_the_network_that_they_wrap(network):
    image = torch.randn(2, 3, 32, 32)
    painted = PatchReconstruction(network)(image)
    assert painted.shape == image.shape
    painted.square().mean().backward()
    assert network.decoder[0][0].weight.grad is not None
    network.zero_grad()
    kinds = PatchClassifier(network, 3)(image)
    assert kinds.shape == (2, 3)
    kinds.square().mean().backward()
    assert network.encoder[0][0].weight.grad.abs().sum() > 0
