"""The loss that the modified U-Net was published with."""

from __future__ import annotations

import torch
from torch.nn import functional


def focal_dice(
    logits: torch.Tensor,
    target: torch.Tensor,
    alpha: float = 0.6,
    gamma: float = 4.0,
    smooth: float = 1.0,
    ignore: int = 255,
) -> torch.Tensor:
    """Focal loss plus pooled Dice (Ahmed et al. 2024, arXiv 2409.06018).

    L = alpha * focal + (1 - alpha) * dice, with, over the softmax p and one-hot labels y,

    - focal = -sum_c (1 - p_c)^gamma * y_c * log p_c, averaged over pixels (the paper prints only
      the sum over classes; the mean is our interpretation, so that the image's size does not
      weigh this term against the other);
    - dice = 1 - (2 sum(p y) + smooth) / (sum p + sum y + smooth), the sums pooled over batch,
      classes (background too) and pixels.

    The paper's text also prints alpha = 0.4; its results are for 0.6.

    Parameters
    ----------
    logits
        (batch, classes, H, W).
    target
        (batch, H, W) int64; `ignore` where nobody labelled: counts in neither term.

    Returns
    -------
    A scalar, 0 for a perfect and certain answer.
    """
    labelled = target != ignore
    log_p = functional.log_softmax(logits.float(), 1)
    log_p_true = log_p.gather(1, target.where(labelled, 0)[:, None])[:, 0][labelled]
    p_true = log_p_true.exp()
    pixels = p_true.numel()
    focal = -((1 - p_true) ** gamma * log_p_true).sum() / max(pixels, 1)
    # Shares and one-hot labels both sum to one a pixel, so the pooled sums are pixel counts.
    dice = 1 - (2 * p_true.sum() + smooth) / (2 * pixels + smooth)
    return alpha * focal + (1 - alpha) * dice
