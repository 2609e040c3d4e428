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
    entropy = functional.cross_entropy(logits, target, ignore_index=ignore, reduction="none")
    entropy = (entropy * counts).sum() / counts.sum().clamp_min(1)
    truth = functional.one_hot(target.where(target != ignore, 0), logits.shape[1]).movedim(-1, 1)[:, 1:]
    truth = truth.to(logits.dtype) * counts[:, None]
    shares = logits.softmax(1)[:, 1:]
    overlap = (shares * truth).sum((0, 2, 3))
    size = truth.sum((0, 2, 3))
    dice = (2 * overlap + 1) / ((shares * counts[:, None]).sum((0, 2, 3)) + size + 1)
    present = size > 0
    return entropy + (1 - dice[present]).mean() if present.any() else entropy
