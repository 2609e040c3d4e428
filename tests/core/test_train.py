import json
from dataclasses import dataclass

import pytest
import torch

from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.networks.spine_net import SpineNet
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.errors import Stopped
from napari_spineseg.progress import Control

SETTINGS = TrainSettings(steps=6, batch=2, warm_up=1, validate_every=3, save_every=2)


@dataclass
class Example:
    image: torch.Tensor
    target: torch.Tensor

    def to(self, device: torch.device) -> "Example":
        return Example(self.image.to(device), self.target.to(device))


def loss(logits: torch.Tensor, example: Example) -> torch.Tensor:
    return cross_entropy_dice(logits, example.target)


def batches(step: int) -> Example:
    generator = torch.Generator().manual_seed(step)
    coarse = torch.rand(2, 1, 4, 4, generator=generator)
    image = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
    return Example(image, (image[:, 0] > 0.5).long())


def trainer(folder, settings=SETTINGS, **kwargs) -> Trainer:
    torch.manual_seed(0)
    return Trainer(SpineNet(1, 2, (4, 8)), batches, loss, settings, folder, **kwargs)


def weights(network) -> torch.Tensor:
    return torch.cat([p.flatten() for p in network.state_dict().values()])


def test_a_stopped_run_goes_on_as_if_it_had_not_been(tmp_path):
    whole = trainer(tmp_path / "whole").run()
    steps = []
    stopping = Control(lambda p: steps.append(p.done), lambda: len(steps) >= 4)
    with pytest.raises(Stopped):
        trainer(tmp_path / "parts").run(stopping)
    resumed = trainer(tmp_path / "parts")
    assert resumed.step == 4
    assert torch.allclose(weights(resumed.run()), weights(whole), atol=1e-6)


def test_the_log_says_what_happened(tmp_path):
    trainer(tmp_path, validate=lambda network: {"dice": 0.5}).run()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "validation"] == [3, 6]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [2, 4, 6]


def test_it_learns(tmp_path):
    settings = SETTINGS.model_copy(update={"steps": 120, "save_every": 20, "learning_rate": 0.01})
    trainer(tmp_path, settings).run()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.5 * losses[0]


def test_the_learning_rate_warms_up_and_falls(tmp_path):
    run = trainer(tmp_path, SETTINGS.model_copy(update={"steps": 100, "warm_up": 10}))
    rates = [run.learning_rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(3e-4) and max(rates) == pytest.approx(3e-3) and rates[-1] < 1e-4
    assert rates.index(max(rates)) in (9, 10)
