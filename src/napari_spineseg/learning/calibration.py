"""Making a model's certainty mean something: temperature scaling, and how far off it still is.

A share of .9 should be right nine times in ten (Guo et al., On calibration of modern neural
networks, ICML 2017). Only voxels near the spine count: far background is certain and plenty, and
would hide everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.datasets.prepared import PreparedVolume

_TEMPERATURES = np.geomspace(0.5, 8.0, 50)
_NEAR_PX = 21
_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """The temperature that fits best, and the expected calibration error without and with it."""

    temperature: float
    ece_before: float
    ece_after: float


def calibrate(
    network: nn.Module, volumes: Sequence[PreparedVolume], spec: InputSpec, slices: int
) -> Calibration:
    """Fit one temperature by likelihood on some slices of each volume."""
    logits, target = _near_the_spine(network, volumes, spec, slices)
    best = best_temperature(logits, target)
    before, after = (expected_calibration_error((logits / t).softmax(1), target) for t in (1.0, best))
    return Calibration(best, round(before, 4), round(after, 4))


def best_temperature(logits: torch.Tensor, target: torch.Tensor) -> float:
    """What logits are best divided by, so that shares are as often right as they say: least cross-entropy.

    logits: (n, classes); target: (n,) int64.
    """
    losses = [float(functional.cross_entropy(logits / t, target)) for t in _TEMPERATURES]
    return round(float(_TEMPERATURES[int(np.argmin(losses))]), 3)


def expected_calibration_error(shares: torch.Tensor, target: torch.Tensor) -> float:
    """ECE = Σ_b n_b/n · |accuracy_b - confidence_b| over 15 equal bins of the winning share.

    shares: (n, classes), rows sum to 1; target: (n,) int64.
    """
    confidence, answer = shares.max(1)
    right = (answer == target).double()
    bins = (confidence * _BINS).long().clamp_max(_BINS - 1)
    counts = torch.bincount(bins, minlength=_BINS).double()
    accuracy = torch.bincount(bins, right, minlength=_BINS)
    certainty = torch.bincount(bins, confidence.double(), minlength=_BINS)
    return float((accuracy - certainty).abs().sum() / counts.sum())


@torch.inference_mode()
def _near_the_spine(
    network: nn.Module, volumes: Sequence[PreparedVolume], spec: InputSpec, slices: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (n, classes) and answers (n,) within about 5 mm of anything labelled."""
    found, answers = [], []
    for volume in volumes:
        for index in volume.spread_slices(slices):
            height, width = volume.values.shape[1:]
            image = network_input(volume.values, index, volume.slice_mm, spec)
            logits = network(image)[0, :, :height, :width]
            target = torch.from_numpy(volume.structures[index])
            labelled = ((target > 0) & (target < len(logits))).float()[None]
            near = functional.max_pool2d(labelled, _NEAR_PX, 1, _NEAR_PX // 2)[0] > 0
            near &= target < len(logits)
            found.append(logits[:, near].T[::4])
            answers.append(target[near].long()[::4])
    return torch.cat(found), torch.cat(answers)
