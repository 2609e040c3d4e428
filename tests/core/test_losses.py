import math

import torch

from napari_spineseg.core.losses import cross_entropy_dice


def test_a_perfect_answer_costs_nothing():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.stack([(target == c) * 40.0 - 20 for c in range(2)], 1)
    assert cross_entropy_dice(logits, target) < 1e-6


def test_an_undecided_answer_by_hand():
    target = torch.zeros(1, 2, 2, dtype=torch.long)
    target[0, 0] = 1
    dice = (2 * 0.5 * 2 + 1) / (0.5 * 4 + 2 + 1)
    assert math.isclose(
        cross_entropy_dice(torch.zeros(1, 2, 2, 2), target), math.log(2) + 1 - dice, rel_tol=1e-5
    )


def test_unlabelled_voxels_count_in_neither_term():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    masked = target.clone()
    masked[0, 3] = 255
    changed = logits.clone()
    changed[:, :, 3] = 9.0
    assert torch.isclose(cross_entropy_dice(logits, masked), cross_entropy_dice(changed, masked))


def test_without_foreground_only_cross_entropy_is_left():
    target = torch.zeros(1, 3, 3, dtype=torch.long)
    assert math.isclose(cross_entropy_dice(torch.zeros(1, 3, 3, 3), target), math.log(3), rel_tol=1e-6)


def test_a_weight_of_nought_is_as_good_as_unlabelled():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    weight = torch.ones(1, 4, 4)
    weight[0, 3] = 0
    masked = target.clone()
    masked[0, 3] = 255
    assert torch.isclose(cross_entropy_dice(logits, target, weight), cross_entropy_dice(logits, masked))
