"""Tiny networks whose answers are known beforehand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec


class Threshold(nn.Module):
    """Pixel by pixel: dark is background, then vertebra, disc, and bright is canal."""

    def __init__(self, centres: tuple[float, ...] = (-1.0, 0.5, 1.5, 2.5)) -> None:
        super().__init__()
        self.centres = centres

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        middle = image[:, image.shape[1] // 2]
        centres = torch.tensor(self.centres, device=image.device, dtype=image.dtype)
        return -20 * (middle[:, None] - centres.reshape(1, -1, 1, 1)) ** 2


def threshold_model(**spec) -> LoadedModel:
    """A model that thresholds the normalised middle slice."""
    spec = {"spacing_mm": 1.0, "stride": 8} | spec
    card = ModelCard(name="threshold", network="spine_net", input=InputSpec(**spec))
    return LoadedModel(Threshold().eval(), card)


@pytest.fixture
def threshold() -> LoadedModel:
    """The threshold model with its defaults."""
    return threshold_model()
