from __future__ import annotations

import math

import pytest
import torch

from napari_spineseg.core.uncertainty import entropy


def test_entropy_by_hand():
    shares = torch.tensor([[1.0, 0.25, 0.5], [0.0, 0.25, 0.5], [0.0, 0.25, 0.0], [0.0, 0.25, 0.0]])
    assert entropy(shares).tolist() == pytest.approx([0, 1, math.log(2) / math.log(4)])


def test_it_stays_between_0_and_1_for_any_logits():
    logits = torch.randn(4, 1000) * torch.logspace(-3, 3, 1000)
    values = entropy(logits.softmax(0))
    assert torch.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1


def test_a_single_class_is_certain():
    assert entropy(torch.ones(1, 5)).tolist() == [0] * 5
