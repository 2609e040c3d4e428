"""Optimisers to choose from, among them the "enhanced SGD" of Chen et al. 2024 as we read it.

The paper names it and gives no rule. Our interpretation: Nesterov momentum, a linear warm-up,
cosine annealing with warm restarts (Loshchilov and Hutter 2017), gradients clipped by their norm,
and a running average of the weights, which is what is kept. Plain SGD (momentum, one learning
rate) and AdamW (warm-up, half a cosine) stand beside it for comparison.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field

from napari_spineseg.core.train import Trainer, TrainSettings

OptimiserName = Literal["enhanced_sgd", "sgd", "adamw"]


class OptimiserSettings(TrainSettings):
    """How PENN is trained."""

    optimiser: OptimiserName = "enhanced_sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    first_cycle: float = Field(1 / 3, gt=0, le=1, description="share of the steps before the first restart")
    cycle_growth: float = Field(2.0, ge=1, description="how much longer each cycle is than the one before")


class OptimiserTrainer(Trainer):
    """A `Trainer` whose optimiser and learning rate follow `OptimiserSettings`."""

    settings: OptimiserSettings

    def make_optimizer(self) -> torch.optim.Optimizer:
        """The optimiser that the settings name."""
        s = self.settings
        if s.optimiser == "adamw":
            return super().make_optimizer()
        return torch.optim.SGD(
            self.network.parameters(),
            s.learning_rate,
            momentum=s.momentum,
            nesterov=s.optimiser == "enhanced_sgd",
            weight_decay=s.weight_decay,
        )

    def learning_rate(self, step: int) -> float:
        """What the step is taken with."""
        s = self.settings
        if s.optimiser == "adamw":
            return super().learning_rate(step)
        if s.optimiser == "sgd":
            return s.learning_rate
        return s.learning_rate * restarts(step, s.steps, s.warm_up, s.first_cycle, s.cycle_growth)


def restarts(step: int, steps: int, warm_up: int, first_cycle: float, growth: float) -> float:
    """Share of the largest learning rate at `step`: warm-up, then cosines down to a hundredth.

    Cycles are stretched together so that the last one ends with the training.

    >>> [round(restarts(s, 310, 10, 1 / 3, 2.0), 2) for s in (0, 9, 10, 109, 110, 309)]
    [0.1, 1.0, 1.0, 0.01, 1.0, 0.01]
    """
    if step < warm_up:
        return (step + 1) / warm_up
    lengths = [first_cycle]
    while sum(lengths) + 0.5 * lengths[-1] * growth < 1:
        lengths.append(lengths[-1] * growth)
    at, total = (step - warm_up) / max(1, steps - warm_up), sum(lengths)
    for length in lengths:
        length /= total
        if at < length - 1e-9 or length == lengths[-1] / total:
            break
        at -= length
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(at / length, 1.0)))
