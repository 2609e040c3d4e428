from __future__ import annotations

import math

import pytest
import torch

from napari_spineseg.core.losses_ahmed2024 import focal_dice


def logits_of(shares: list[list[float]]) -> torch.Tensor:
    """(1, classes, 1, pixels) logits whose softmax is `shares`, one list a pixel."""
    return torch.tensor(shares).log().T[None, :, None]


def test_two_pixels_by_hand():
    logits = logits_of([[0.8, 0.2], [0.5, 0.5]])
    target = torch.tensor([[[0, 1]]])

    focal = -(0.2**4 * math.log(0.8) + 0.5**4 * math.log(0.5)) / 2
    dice = 1 - (2 * (0.8 + 0.5) + 1) / (2 + 2 + 1)

    assert float(focal_dice(logits, target)) == pytest.approx(0.6 * focal + 0.4 * dice, abs=1e-6)
    assert float(focal_dice(logits, target, alpha=1)) == pytest.approx(focal, abs=1e-6)
    assert float(focal_dice(logits, target, alpha=0)) == pytest.approx(dice, abs=1e-6)


def test_gamma_zero_is_cross_entropy():
    logits, target = torch.randn(2, 4, 5, 6), torch.randint(0, 4, (2, 5, 6))

    loss = focal_dice(logits, target, alpha=1, gamma=0)

    assert float(loss) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, target)), abs=1e-5)


def test_a_perfect_answer_costs_nothing_and_extreme_ones_stay_finite():
    target = torch.tensor([[[0, 1, 2, 3]]])
    right = torch.nn.functional.one_hot(target, 4).movedim(-1, 1) * 1e4
    wrong = (-right).requires_grad_()

    assert float(focal_dice(right, target)) == pytest.approx(0, abs=1e-6)
    loss = focal_dice(wrong, target)
    loss.backward()
    assert loss > 1000
    assert torch.isfinite(wrong.grad).all()


def test_pixels_that_nobody_labelled_do_not_count():
    logits = torch.randn(1, 3, 4, 4)
    target = torch.randint(0, 3, (1, 4, 4))
    target[:, 2:] = 255

    assert focal_dice(logits, target) == pytest.approx(
        float(focal_dice(logits[:, :, :2], target[:, :2])), abs=1e-6
    )
    assert float(focal_dice(logits, torch.full_like(target, 255))) == 0
