"""How tightly a candidate is held to the model that it comes from."""

import pytest
import torch
from torch import nn

from napari_spineseg.learning.stages.finetune import TeachingLoss
from napari_spineseg.learning.stages.teaching import TaughtBatch


def held(scans: int, moved: float = 0.5) -> tuple[float, float]:
    """What of the loss is the pull, and what replay, for a network that moved and answers otherwise."""
    network, start = nn.Linear(2, 2), nn.Linear(2, 2)
    start.load_state_dict({k: v - moved for k, v in network.state_dict().items()})
    loss = TeachingLoss(0.01, scans)
    loss.hold(network, start)
    logits = torch.zeros(2, 2, 4, 4)
    logits[0, 1] = logits[1, 1] = 5.0
    target, weight = torch.ones(1, 4, 4, dtype=torch.int64), torch.ones(1, 4, 4)
    alone = TaughtBatch(logits[:1], target, weight, torch.zeros(0, 2, 4, 4))
    both = TaughtBatch(logits, target, weight, torch.full((1, 2, 4, 4), 0.5))
    still = TeachingLoss(0.0, scans)
    still.hold(network, start)
    pull = (loss(logits[:1], alone) - still(logits[:1], alone)).item()
    return pull, (still(logits, both) - still(logits[:1], alone)).item()


def test_more_scans_loosen_the_hold_and_no_more_than_four_count():
    pull, replay = held(1)
    assert pull == pytest.approx(0.01 * 6 * 0.25, rel=1e-3) and replay > 1
    for scans, counted in ((2, 2), (4, 4), (30, 4)):
        assert held(scans) == (
            pytest.approx(pull / counted, rel=1e-2),
            pytest.approx(replay / counted, rel=1e-3),
        )
