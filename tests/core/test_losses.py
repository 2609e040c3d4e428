import math

import torch

from napari_spineseg.core.losses import cross_entropy_dice, hardest_dice


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


def two_squares(small: float, large: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A sample with 4 pixels and one with 400 of the foreground; logits of both where they are."""
    target = torch.zeros(2, 32, 32, dtype=torch.long)
    target[0, :2, :2], target[1, :20, :20] = 1, 1
    logits = torch.where(target[:, None] == torch.arange(2)[:, None, None], 8.0, -8.0)
    logits[0, :, :2, :2] = torch.tensor([-small, small])[:, None, None]
    logits[1, :, :20, :20] = torch.tensor([-large, large])[:, None, None]
    return logits, target


def test_a_small_object_that_is_missed_costs_as_much_dice_as_a_large_one():
    perfect = hardest_dice(*two_squares(8, 8), share=1.0)
    assert perfect < 1e-3
    small, large = (hardest_dice(*two_squares(*sure), share=1e-9) for sure in ((-8, 8), (8, -8)))
    assert torch.isclose(small, large, atol=0.15) and small > 0.4
    assert cross_entropy_dice(*two_squares(-8, 8)) < 0.1 * cross_entropy_dice(*two_squares(8, -8))


def test_pixels_that_are_easy_do_not_dilute_those_that_are_not():
    logits, target = two_squares(-1, 8)
    wide = torch.nn.functional.pad(logits[:1], (0, 32, 0, 32), value=0.0)
    wide[:, 0, 32:], wide[:, 0, :, 32:] = 30.0, 30.0
    padded = torch.nn.functional.pad(target[:1], (0, 32, 0, 32))
    few = 4 / 1024
    assert torch.isclose(hardest_dice(logits[:1], target[:1], few), hardest_dice(wide, padded, few / 4))


def test_without_an_object_the_hardest_pixels_are_left():
    empty = torch.zeros(1, 4, 4, dtype=torch.long)
    assert math.isclose(hardest_dice(torch.zeros(1, 2, 4, 4), empty), math.log(2), rel_tol=1e-6)
