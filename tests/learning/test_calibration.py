import numpy as np
import pytest
import torch
from torch import nn

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.calibration import calibrate, expected_calibration_error


def test_error_by_hand():
    shares = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    target = torch.tensor([0, 1, 1, 1])
    assert expected_calibration_error(shares, target) == pytest.approx(0.5 * 0.4 + 0.5 * 0.3, abs=1e-6)


def test_a_sure_and_right_answer_is_calibrated():
    assert expected_calibration_error(torch.eye(3), torch.arange(3)) == pytest.approx(0, abs=1e-6)


class Boaster(nn.Module):
    """Right four times in five, and always nearly certain."""

    def forward(self, image):
        generator = torch.Generator().manual_seed(int(image.abs().sum() * 1000) % 1000)
        answer = (image[:, 1] > 0) ^ (torch.rand(image[:, 1].shape, generator=generator) < 0.2)
        return torch.stack([~answer, answer], 1).float() * 8


def test_a_boaster_is_cooled_down():
    rng = np.random.default_rng(0)
    structures = (rng.random((3, 64, 64)) > 0.5).astype(np.uint8)
    volume = PreparedVolume("a", "1", "image", structures * 200 + 20, structures, 4.0, 0.5)
    fit = calibrate(Boaster(), [volume], InputSpec(stride=1), 3)
    assert fit.temperature > 2 and fit.ece_after < 0.1 * fit.ece_before
