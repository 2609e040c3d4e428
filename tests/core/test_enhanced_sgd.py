"""The enhanced SGD's rule, and that it, plain SGD and AdamW all train and resume."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from napari_spineseg.core.enhanced_sgd import OptimiserSettings, OptimiserTrainer, restarts


@dataclass(frozen=True)
class Pair:
    image: torch.Tensor
    target: torch.Tensor

    def to(self, device):
        return self


def pairs(step: int) -> Pair:
    generator = torch.Generator().manual_seed(step)
    image = torch.randn(4, 2, 8, 8, generator=generator)
    return Pair(image, image.sum(1, keepdim=True))


def trainer(folder, name: str, steps: int, rate: float) -> OptimiserTrainer:
    torch.manual_seed(0)
    settings = OptimiserSettings(
        optimiser=name,
        steps=steps,
        learning_rate=rate,
        warm_up=3,
        average=0.5,
        save_every=10,
        validate_every=999,
    )
    return OptimiserTrainer(
        nn.Conv2d(2, 1, 3, padding=1),
        pairs,
        lambda out, pair: (out - pair.target).square().mean(),
        settings,
        folder,
        precision="fp32",
    )


@pytest.mark.parametrize(("name", "rate"), [("enhanced_sgd", 0.02), ("sgd", 0.02), ("adamw", 0.05)])
def test_each_optimiser_lowers_the_loss(tmp_path, name, rate):
    run = trainer(tmp_path, name, 40, rate)
    before = (run.network(pairs(99).image) - pairs(99).target).square().mean().item()
    after = (run.run()(pairs(99).image) - pairs(99).target).square().mean().item()
    assert after < 0.2 * before


@pytest.mark.parametrize("name", ["enhanced_sgd", "adamw"])
def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path, name):
    whole = trainer(tmp_path / "whole", name, 20, 0.02).run()
    first = trainer(tmp_path / "parts", name, 20, 0.02)
    first.settings = first.settings.model_copy(update={"steps": 10})
    first.learning_rate = lambda step: trainer(tmp_path / "rate", name, 20, 0.02).learning_rate(step)
    first.run()
    second = trainer(tmp_path / "parts", name, 20, 0.02)
    assert second.step == 10
    assert torch.allclose(whole.weight, second.run().weight, atol=1e-6)


def test_nesterov_belongs_to_the_enhanced_one(tmp_path):
    assert trainer(tmp_path / "a", "enhanced_sgd", 5, 0.1).optimizer.defaults["nesterov"]
    assert not trainer(tmp_path / "b", "sgd", 5, 0.1).optimizer.defaults["nesterov"]
    assert trainer(tmp_path / "c", "sgd", 5, 0.1).learning_rate(0) == 0.1


def test_the_rate_warms_up_falls_and_restarts():
    rates = [restarts(step, 700, 100, 1 / 3, 2.0) for step in range(700)]
    assert rates[0] == 0.01 and rates[99] == rates[100] == 1.0
    jumps = [s for s in range(101, 700) if rates[s] > rates[s - 1]]
    assert jumps == [300] and rates[299] < 0.02 and rates[300] == 1.0
    assert rates[-1] < 0.011


@pytest.mark.parametrize("first", [0.05, 0.2, 0.6, 1.0])
def test_every_schedule_ends_at_rest(first):
    rates = [restarts(step, 1000, 50, first, 2.0) for step in range(1000)]
    assert rates[-1] < 0.011 and min(rates) > 0 and max(rates) <= 1.0
