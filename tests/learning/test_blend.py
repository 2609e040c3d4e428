"""A candidate goes as far from its parent as the guard allows, and no further."""

import pytest
import torch
from torch import nn

from napari_spineseg.learning.blend import as_far_as_allowed, blended
from napari_spineseg.learning.run.events import Change
from napari_spineseg.learning.verdict.gate import forgotten


def network(value: float) -> nn.Module:
    """A convolution and its norm, whose every weight is `value`; the norm has seen three batches."""
    made = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    with torch.no_grad():
        for weight in made.state_dict().values():
            weight.fill_(3 if weight.dtype == torch.int64 else value)
    return made


PARENT, TRAINED = network(0.0), network(1.0)


def guard_that_loses(most: float):
    """A guard on which the loss grows as the square of the way from the parent, known to 0.001."""

    def changes(found: nn.Module) -> dict[str, Change]:
        lost = -most * float(found[0].weight.detach().square().mean())
        return {
            "mean": Change(before=0.9, after=0.9 + lost, change=lost, low=lost - 0.001, high=lost + 0.001)
        }

    return changes


def test_blending_moves_every_weight_and_statistic_and_leaves_the_two_as_they_were():
    found = blended((PARENT, TRAINED), (0.75, 0.25))
    values = {k: float(v.mean()) for k, v in found.state_dict().items() if v.is_floating_point()}
    assert set(values.values()) == {0.25} and int(found[1].num_batches_tracked) == 3
    assert float(PARENT[0].weight.detach()) == 0 and float(TRAINED[0].weight.detach()) == 1


@pytest.mark.parametrize(("lost", "share"), [(0.002, 1.0), (0.0035, 0.85), (0.01, 0.4), (0.03, 0.3)])
def test_the_largest_share_that_does_not_forget_is_taken(lost, share):
    found, taken, changes = as_far_as_allowed(PARENT, TRAINED, guard_that_loses(lost))
    assert taken == share and float(found[0].weight.detach()) == pytest.approx(share)
    assert not forgotten(changes)


def test_what_forgets_whatever_the_share_stays_as_it_was_trained():
    found, taken, changes = as_far_as_allowed(PARENT, TRAINED, guard_that_loses(0.2))
    assert found is TRAINED and taken == 1 and forgotten(changes)


def test_an_uncertain_guard_counts_too():
    def unsure(found: nn.Module) -> dict[str, Change]:
        way = float(found[0].weight.detach())
        return {"mean": Change(before=0.9, after=0.9, change=0.0, low=-0.01 * way, high=0.01 * way)}

    _, taken, _ = as_far_as_allowed(PARENT, TRAINED, unsure)
    assert taken == 0.55
