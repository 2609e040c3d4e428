"""How unsure a network is at each pixel."""

from __future__ import annotations

import math

import torch


def entropy(probabilities: torch.Tensor, axis: int = 0) -> torch.Tensor:
    """Shannon entropy over `axis`, as a share of its largest value: 0 sure, 1 all classes alike.

    H = -sum(p log p) / log(classes). One class has entropy 0.
    """
    classes = probabilities.shape[axis]
    if classes < 2:
        return torch.zeros_like(probabilities.select(axis, 0))
    return torch.special.entr(probabilities).sum(axis).div_(math.log(classes)).clamp_(0, 1)
