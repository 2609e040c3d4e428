"""Which weights of a run are kept, and when it is over."""

from __future__ import annotations

import pytest
from torch import nn

from napari_spineseg.core.checkpoint import ModelCard
from napari_spineseg.core.networks import build_network
from napari_spineseg.learning.stages.best import Best

ARGUMENTS = {"in_channels": 1, "classes": 2, "widths": [4, 4]}


@pytest.fixture
def best(tmp_path) -> Best:
    found = Best(tmp_path, ModelCard(name="toy", network="spine_net", arguments=ARGUMENTS))
    found.parent({"mean": 0.9})
    return found


@pytest.fixture
def network() -> nn.Module:
    return build_network("spine_net", ARGUMENTS)


def offer(best: Best, network: nn.Module, step: int, held: float, guard: float = 0.9) -> bool:
    return best.offer(step, network, {"mean": held}, {"mean": guard})


def test_of_weights_that_score_alike_the_later_ones_are_kept(best, network):
    assert offer(best, network, 10, 0.8) and offer(best, network, 20, 0.799)
    assert best.step == 20
    assert not offer(best, network, 30, 0.78) and best.step == 20


def test_a_slow_slide_down_is_not_followed(best, network):
    kept = [offer(best, network, step, 0.8 - 0.002 * n) for n, step in enumerate(range(10, 60, 10))]
    assert kept == [True, True, False, False, False]


def test_what_the_guard_loses_counts_against_it(best, network):
    assert offer(best, network, 10, 0.8)
    assert not offer(best, network, 20, 0.82, guard=0.88)
    assert offer(best, network, 30, 0.82)


def test_training_goes_on_while_it_does_no_harm(best, network):
    for step in range(10, 60, 10):
        offer(best, network, step, 0.8)
    assert not best.worn_out(50, 64)
    for step in (52, 54, 56):
        assert not best.worn_out(step, 64)
        offer(best, network, step, 0.7)
    assert best.worn_out(58, 64) and not best.worn_out(30, 64)


def test_what_a_run_knew_is_there_when_it_is_resumed(best, network, tmp_path):
    offer(best, network, 10, 0.8)
    offer(best, network, 20, 0.7)
    again = Best(tmp_path, ModelCard(name="toy", network="spine_net", arguments=ARGUMENTS))
    assert again.step == 10 and not again.finished
    again.finish()
    assert Best(tmp_path, again._card).finished and again.load().card.name == "toy"
    assert [p.name for p in tmp_path.glob("best_*.safetensors")] == ["best_10.safetensors"]
