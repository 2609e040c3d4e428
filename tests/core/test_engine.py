from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from napari_spineseg.core import engine as engines
from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.engine import Engine, Runner, agreement, build_engine, engine_for, is_out_of_memory
from napari_spineseg.core.networks.modified_unet import ModifiedUNet
from napari_spineseg.core.networks.spine_net import SpineNet
from napari_spineseg.errors import SpineSegError

CPU = torch.device("cpu")


def lived_in(network: nn.Module) -> nn.Module:
    """The network with norms that are no longer those of the first day."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d)):
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias, 0, 0.3)
    return network.eval()


def model_of(network: nn.Module) -> LoadedModel:
    return LoadedModel(network, ModelCard(name="test", network="spine_net"))


@pytest.mark.parametrize(
    ("network", "channels"), [(SpineNet(3, 4, (4, 8, 8)), 3), (ModifiedUNet(), 1)], ids=["spine", "unet"]
)
def test_a_ready_network_answers_as_the_network_does(network, channels):
    network = lived_in(network)
    images = torch.randn(2, channels, 32, 48)
    with torch.inference_mode():
        expected = network(images)

    ready = build_engine(network, CPU, torch.float32)

    torch.testing.assert_close(ready(images), expected, atol=1e-3, rtol=1e-3)
    assert ready.precision == "fp32"


def test_a_network_of_volumes_is_made_ready_too():
    layers = nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(), nn.Conv3d(8, 2, 3, padding=1)
    network = lived_in(nn.Sequential(*layers))
    volumes = torch.randn(1, 1, 5, 12, 14)
    with torch.inference_mode():
        expected = network(volumes)

    ready = build_engine(network, CPU, torch.float32)

    torch.testing.assert_close(ready(volumes), expected, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in ready.network.modules())
    assert ready.network[-1].weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_norms_are_folded_in_a_copy_only():
    network = lived_in(SpineNet(3, 4, (4, 8)))
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())
    ready = build_engine(network, CPU, torch.float32)

    assert norms == 6
    assert not any(isinstance(m, nn.BatchNorm2d) for m in ready.network.modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == norms


def test_an_engine_is_made_once_and_anew_when_a_weight_changes():
    model = model_of(lived_in(SpineNet(3, 4, (4, 8))))
    first = engine_for(model, CPU, "fp32")
    assert engine_for(model, CPU, "fp32") is first

    with torch.no_grad():
        model.network.head.bias += 1
    second = engine_for(model, CPU, "fp32")

    images = torch.randn(1, 3, 16, 16)
    torch.testing.assert_close(second(images), first(images) + 1, atol=1e-4, rtol=1e-4)


def test_a_training_step_with_norms_makes_the_engine_anew():
    network = SpineNet(3, 4, (4, 8))
    model = model_of(network.eval())
    first = engine_for(model, CPU, "fp32")
    network.train()(torch.randn(2, 3, 16, 16))  # moves running statistics, nothing else
    network.eval()
    assert engine_for(model, CPU, "fp32") is not first


def test_engines_go_when_their_network_goes():
    gc.collect()  # what other tests left behind
    model = model_of(SpineNet(3, 4, (4, 8)).eval())
    engine_for(model, CPU, "fp32")
    before = len(engines._ENGINES)
    del model
    gc.collect()
    assert len(engines._ENGINES) == before - 1


class Delicate(nn.Module):
    """Tells 1.0 from 1.001, which bfloat16 cannot."""

    def forward(self, image):
        difference = image[:, :1] - image[:, 1:2]
        return torch.cat([torch.full_like(difference, 5e-4), difference.abs()], 1)


@pytest.mark.parametrize(("delicate", "expected"), [(True, "fp32"), (False, "bf16")])
def test_a_precision_that_changes_the_answer_is_not_used(delicate, expected, monkeypatch):
    monkeypatch.setattr(engines, "choose_precision", lambda device, name: torch.bfloat16)
    apart = 0.001 if delicate else 1.0
    example = torch.ones(1, 2, 8, 8)
    example[:, 1, :, :4] += apart
    model = model_of(Delicate())

    engine = engine_for(model, CPU, "auto", lambda: example)

    assert engine.precision == expected


def test_agreement_is_about_foreground():
    first = torch.zeros(1, 2, 10, 10)
    first[:, 0] = 1
    second = first.clone()
    assert agreement(first, second) == 1
    first[:, 1, :2, :5] = 2  # 10 pixels of foreground
    second[:, 1, :2, :4] = 2  # 8 of them
    assert agreement(first, second) == pytest.approx(0.8)


class Tight(nn.Module):
    """Runs out of memory on anything larger than `most` pixels."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error, self.seen = most, error, []

    def forward(self, image):
        self.seen.append(tuple(image.shape[2:]))
        if image.shape[2] * image.shape[3] > self.most:
            raise self.error
        return image * 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError(
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "python"],
)
def test_when_memory_runs_out_tiles_get_smaller(error):
    network = Tight(256 * 256, error)
    runner = Runner(Engine(network, CPU, torch.float32), tile=1024, stride=32)
    images = torch.randn(1, 2, 512, 384)

    out = runner.run(images, lambda: None)

    torch.testing.assert_close(out, images * 2, atol=1e-4, rtol=1e-4)
    assert runner.tile == 256
    assert len(runner.warnings) == 1 and "256 pixels" in runner.warnings[0]
    runner.run(images, lambda: None)
    assert network.seen.count((512, 384)) == 1  # what did not fit is not tried again


def test_when_small_tiles_do_not_help_the_processor_takes_over():
    error = torch.OutOfMemoryError("CUDA out of memory.")
    gpu = Engine(Tight(0, error), torch.device("meta"), torch.float32)
    runner = Runner(gpu, 512, 32, lambda: Engine(Tight(10**9, error), CPU, torch.float32))
    images = torch.randn(1, 1, 128, 128)

    torch.testing.assert_close(runner.run(images, lambda: None), images * 2)
    assert runner.engine.device.type == "cpu"
    assert "the processor, which is slower" in runner.warnings[-1]


def test_when_nothing_helps_a_person_is_told():
    runner = Runner(Engine(Tight(0, MemoryError()), CPU, torch.float32), 512, 32)
    with pytest.raises(SpineSegError, match="not enough free memory"):
        runner.run(torch.zeros(1, 1, 512, 512), lambda: None)


def test_a_bug_is_not_taken_for_a_lack_of_memory():
    bug = RuntimeError("size of tensor a (3) must match the size of tensor b (4)")
    runner = Runner(Engine(Tight(0, bug), CPU, torch.float32), 512, 32)
    with pytest.raises(RuntimeError, match="must match"):
        runner.run(torch.zeros(1, 1, 512, 512), lambda: None)
    assert not is_out_of_memory(bug)
