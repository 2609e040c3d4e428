"""From the parent's weights to a candidate's: short, gentle, resumable.

- Batch norms keep the parent's statistics: eight crops of one scan would move them far.
- Half of each batch are corrections, half is replay, for which the parent is the teacher (see `teaching`).
- Weights are pulled towards the parent's: pull · Σ (w - w₀)² (L2-SP, Li, Grandvalet and Davoine, ICML 2018).
- Both hold on to the parent the less, the more scans were corrected, as what was believed before counts less
  beside more that was seen.
- A running average of the weights is what is judged and kept.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.learning.stages.teaching import TaughtBatch

_AVERAGE = 0.95
# With one scan to learn from. A model that forgets changes few pixels at first: the mean divergence is
# small beside the other loss.
_REPLAY_WEIGHT = 20.0
# More scans than this loosen the hold no further: it was not measured.
_MOST_LOOSENED = 4
_WARM_UP = 5


class TeachingLoss:
    """Corrections' loss + (20 · replay's loss + pull · Σ (w - w₀)²) / scans, of which no more than 4 count.

    The replay's is the Kullback-Leibler divergence from the parent's shares: 0 for the parent itself.
    `hold(network)` says whose weights are pulled, and to where: to what they are then.

    Parameters
    ----------
    scans
        How many corrected scans are learnt from.
    """

    def __init__(self, pull: float, scans: int = 1) -> None:
        share = 1 / min(max(scans, 1), _MOST_LOOSENED)
        self._pull, self._replay = share * pull, share * _REPLAY_WEIGHT
        self._pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._recent: list[float] = []

    def hold(self, network: nn.Module, start: nn.Module) -> None:
        """Pull `network` towards the weights of `start`, which has the same shape."""
        pairs = zip(network.parameters(), start.parameters(), strict=True)
        self._pairs = [(w, w0.detach().clone().to(w.device)) for w, w0 in pairs]

    def __call__(self, logits: torch.Tensor, batch: TaughtBatch) -> torch.Tensor:
        """A scalar; logits are (corrections + replay, classes, H, W) float32."""
        count = len(batch.target)
        loss = cross_entropy_dice(logits[:count], batch.target, batch.weight)
        self._recent.append(float(loss.detach()))
        if len(logits) > count:
            away = functional.kl_div(logits[count:].log_softmax(1), batch.shares, reduction="none")
            loss = loss + self._replay * away.sum(1).mean()
        return loss + self._pull * sum((w - w0).square().sum() for w, w0 in self._pairs)

    def since_last(self) -> float | None:
        """Mean of the corrections' loss since this was asked before."""
        recent, self._recent = self._recent, []
        return round(sum(recent) / len(recent), 4) if recent else None


def build_trainer(
    network: nn.Module,
    batches: Callable[[int], TaughtBatch],
    loss: TeachingLoss,
    settings: LearnSettings,
    steps: int,
    every: int,
    folder: Path,
    validate: Callable[[nn.Module], dict],
    device: torch.device,
) -> Trainer:
    """A trainer of a copy of `network`; resumes what it finds in `folder`."""
    chosen = TrainSettings(
        seed=settings.seed,
        steps=steps,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        weight_decay=0,
        warm_up=_WARM_UP,
        average=_AVERAGE,
        validate_every=every,
        save_every=every,
    )
    trainer = Trainer(copy.deepcopy(network), batches, loss, chosen, folder, validate, device)
    loss.hold(trainer.network, network)
    freeze_norms(trainer.network)
    return trainer


def freeze_norms(network: nn.Module) -> None:
    """Keep the running statistics of every batch norm; its scale and shift are still learnt."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
