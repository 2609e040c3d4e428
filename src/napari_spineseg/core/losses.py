"""Losses, each with its formula."""

from __future__ import annotations

import torch
from torch.nn import functional


def cross_entropy_dice(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None, ignore: int = 255
) -> torch.Tensor:
    """Cross-entropy plus soft Dice, over voxels that somebody labelled.

    L = CE + 1 - mean_c (2 Σ w p_c y_c + 1) / (Σ w p_c + Σ w y_c + 1), sums over the batch,
    foreground classes that occur in it only (Isensee et al. 2021 use the same pair).

    Parameters
    ----------
    logits
        (batch, classes, H, W).
    target
        (batch, H, W) int64; `ignore` where nobody labelled: counts in neither term.
    weight
        (batch, H, W), how much each voxel counts; all the same where None.
    """
    labelled = (target != ignore).to(logits.dtype)
    counts = labelled if weight is None else labelled * weight
    log_shares = logits.log_softmax(1)
    entropy = functional.nll_loss(log_shares, target, ignore_index=ignore, reduction="none")
    entropy = (entropy * counts).sum() / counts.sum().clamp_min(1)
    foreground = torch.arange(1, logits.shape[1], device=logits.device)[:, None, None]
    truth = (target[:, None] == foreground) * counts[:, None]
    shares = log_shares[:, 1:].exp()
    size = truth.sum((0, 2, 3))
    said = torch.einsum("bchw,bhw->c", shares, counts)
    dice = (2 * (shares * truth).sum((0, 2, 3)) + 1) / (said + size + 1)
    present = size > 0
    return entropy + (1 - dice[present]).mean() if present.any() else entropy


def hardest_dice(logits: torch.Tensor, target: torch.Tensor, share: float = 0.1) -> torch.Tensor:
    """Cross-entropy of the hardest pixels plus soft Dice sample by sample, for one small foreground class.

    L = mean of the largest `share` of all pixels' CE + 1 - mean_s (2 Σ p y + 1) / (Σ p + Σ y + 1) over
    the samples s that show the foreground. Over a whole batch, large tumours would outweigh small
    ones, and the many pixels that are easy would outweigh those that are not.

    Parameters
    ----------
    logits
        (batch, 2, H, W).
    target
        (batch, H, W) int64, 0 or 1.
    """
    log_shares = logits.log_softmax(1)
    entropy = functional.nll_loss(log_shares, target, reduction="none").flatten()
    hard = entropy.topk(max(1, round(share * len(entropy)))).values.mean()
    said, truth = log_shares[:, 1].exp().flatten(1), target.flatten(1).to(logits.dtype)
    there = truth.any(1)
    if not there.any():
        return hard
    dice = (2 * (said * truth).sum(1) + 1) / (said.sum(1) + truth.sum(1) + 1)
    return hard + (1 - dice[there]).mean()
