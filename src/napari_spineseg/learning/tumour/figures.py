"""Figures that papers on tumours print: precision, recall, accuracy, F1, IoU and Dice of pooled pixels."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from napari_spineseg.learning.tumour.patches import PatchBatch


@torch.inference_mode()
def patch_figures(network: nn.Module, batches: Iterable[PatchBatch]) -> dict[str, float]:
    """`figures_of` all pixels of all patches together.

    network: (batch, channels, H, W) -> logits (batch, 2, H, W), class 1 the tumour.
    """
    counts = torch.zeros(2, 2, dtype=torch.float64)
    device = next(network.parameters()).device
    for batch in batches:
        found = network(batch.to(device).image).argmax(1).cpu()
        for truth in (0, 1):
            for said in (0, 1):
                counts[truth, said] += ((batch.target == truth) & (found == said)).sum()
    return figures_of(*(float(counts[k]) for k in ((1, 1), (0, 1), (1, 0), (0, 0))))


def figures_of(hit: float, wrong: float, missed: float, right: float) -> dict[str, float]:
    """Figures from true and false positives, false and true negatives (pixels), to four digits.

    precision = TP / (TP + FP), recall = TP / (TP + FN), accuracy = (TP + TN) / all,
    IoU = TP / (TP + FP + FN), Dice = 2 TP / (2 TP + FP + FN). F1 of pooled pixels and Dice are the same
    number; papers print both.

    >>> figures_of(8, 2, 2, 88)["dice"], figures_of(8, 2, 2, 88)["accuracy"]
    (0.8, 0.96)
    """
    precision, recall = hit / max(hit + wrong, 1), hit / max(hit + missed, 1)
    dice = 2 * hit / max(2 * hit + wrong + missed, 1)
    figures = {
        "precision": precision,
        "recall": recall,
        "accuracy": (hit + right) / max(hit + wrong + missed + right, 1),
        "f1": 2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        "iou": hit / max(hit + wrong + missed, 1),
        "dice": dice,
    }
    return {name: round(value, 4) for name, value in figures.items()}
