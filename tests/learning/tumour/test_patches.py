"""Patches with tumours that are painted as they are drawn."""

from __future__ import annotations

import torch

from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import ECHO_AFTER, ECHOES, PatchSampler

SMALL = PatchSettings(pixel_mm=1.0, sizes_px=(32, 48), synthetic_share=0.5)


def test_a_batch_is_what_the_network_needs(volumes):
    batch = PatchSampler(volumes, SMALL, 1).batch(0, 12)
    count, _, height, _ = batch.image.shape
    assert batch.image.shape[1:] == (3, height, height) and height in (32, 48)
    assert batch.target.shape == batch.anatomy.shape == (count, height, height)
    assert set(batch.target.unique().tolist()) == {0, 1} and batch.target.dtype == torch.int64
    assert torch.isfinite(batch.image).all() and -1.5 < batch.image.mean() < 1.5
    assert {0, 1, 2, 3} >= set(batch.anatomy.unique().tolist()) and (batch.anatomy > 0).any()


def test_patches_are_balanced(volumes):
    sampler = PatchSampler(volumes, SMALL, 2)
    kinds = torch.cat([sampler.draw(step, 24).kind for step in range(3)])
    shares = torch.bincount(kinds, minlength=3) / len(kinds)
    assert 0.4 < shares[2] < 0.85 and shares[1] > 0.05 and shares[0] > 0.03


def test_the_class_of_a_patch_is_what_is_in_it(volumes):
    batch = PatchSampler(volumes, SMALL, 3).draw(0, 24)
    assert torch.equal(batch.kind == 2, batch.target.flatten(1).any(1))


def test_batches_depend_on_seed_and_step_alone(volumes):
    first, second = (PatchSampler(volumes, SMALL, 1) for _ in range(2))
    first.batch(0, 4)
    assert torch.equal(first.batch(3, 4).image, second.batch(3, 4).image)
    assert not torch.equal(first.draw(4, 4).image.mean(), first.draw(5, 4).image.mean())


def test_each_batch_comes_back_with_its_neighbours_changed_over(volumes):
    sampler = PatchSampler(volumes, SMALL, 1)
    first, second, third, *_ = (sampler.batch(1 + k * ECHO_AFTER, 4) for k in range(ECHOES))
    assert torch.equal(first.image, third.image) and torch.equal(first.image.flip(1), second.image)
    assert torch.equal(first.target, second.target)
    # After a restart the echo is drawn anew, and is the same.
    assert torch.equal(PatchSampler(volumes, SMALL, 1).batch(1 + ECHO_AFTER, 4).image, second.image)
    assert not torch.equal(sampler.batch(1 + ECHOES * ECHO_AFTER, 4).target, first.target)


def test_without_shares_no_patch_shows_a_lesion(volumes):
    plain = SMALL.model_copy(update={"tumour_share": 0.0, "border_share": 0.0, "hard_share": 0.0})
    batch = PatchSampler(volumes, plain, 1).draw(0, 12)
    assert not batch.target.any() and not batch.kind.any()
