from __future__ import annotations

import pytest
import torch

from napari_spineseg.core import device
from napari_spineseg.errors import SettingsError, SpineSegError


@pytest.fixture(autouse=True)
def _forget_the_probe():
    device.bf16_pays.cache_clear()
    yield
    device.bf16_pays.cache_clear()


def test_auto_takes_the_best_device_that_is_there(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert device.choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_in_words(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=f"{name} was asked for.*usable: cpu, or auto"):
        device.choose_device(name)


def test_unknown_names_are_refused():
    with pytest.raises(SpineSegError, match="tpu"):
        device.choose_device("tpu")
    with pytest.raises(SpineSegError, match="int4"):
        device.choose_precision(torch.device("cpu"), "int4")


@pytest.mark.parametrize(
    ("tiles", "bf16", "pays"),
    [
        (False, 0.3, True),
        (False, 0.9, False),
        (False, 3.0, False),
        (True, 0.3, True),
        (True, 1.5, True),
        (True, 3.0, False),
    ],
)
def test_bf16_is_used_where_a_timed_convolution_says_so(tiles, bf16, pays, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles, raising=False)
    seconds = {torch.float32: 1.0, torch.bfloat16: bf16}
    monkeypatch.setattr(device, "_seconds", lambda image, weight: seconds[image.dtype])
    assert device.bf16_pays() is pays
    expected = torch.bfloat16 if pays else torch.float32
    assert device.choose_precision(torch.device("cpu")) == expected


def test_a_build_that_cannot_tell_of_tiles_is_measured(monkeypatch):
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.9}
    monkeypatch.setattr(device, "_seconds", lambda image, weight: seconds[image.dtype])
    assert device.bf16_pays() is False


def test_a_burst_of_another_process_does_not_decide(monkeypatch):
    monkeypatch.setattr(device, "_has_tiles", lambda: False)
    times = iter([1.0, 0.4, 0.3, 9.0] + [1.0, 0.4] * 3)  # fp32 is really .3, bf16 .4
    monkeypatch.setattr(device, "_seconds", lambda image, weight: next(times))
    assert device.bf16_pays() is False


def test_without_bf16_convolutions_float32_is_used(monkeypatch):
    def fail(image, weight):
        if image.dtype == torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return 1.0

    monkeypatch.setattr(device, "_seconds", fail)
    assert device.bf16_pays() is False


def test_the_probe_measures_something_and_only_once(monkeypatch):
    calls = []
    real = device._seconds
    monkeypatch.setattr(device, "_seconds", lambda *args: calls.append(1) or real(*args))
    device.bf16_pays()
    measured = len(calls)
    device.bf16_pays()
    assert len(calls) == measured >= 2
    assert real(*device._probe_convolution(torch.float32)) > 0


def test_asked_for_precisions_are_taken_as_they_are():
    cpu = torch.device("cpu")
    assert device.choose_precision(cpu, "fp32") == torch.float32
    assert device.choose_precision(cpu, "bf16") == torch.bfloat16
    assert device.choose_precision(torch.device("mps")) == torch.float32
    assert device.precision_name(torch.bfloat16) == "bf16"


@pytest.mark.parametrize(
    ("text", "expected"), [("150000 100000", 2), ("max 100000", 64), ("10000 100000", 1)]
)
def test_processors_are_counted_within_a_containers_quota(text, expected, tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    monkeypatch.setattr(device.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert device.available_cpus(quota) == expected
    assert device.available_cpus(tmp_path / "missing") == 64


@pytest.fixture
def _threads_put_back():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    device.threads_for_one_slice.cache_clear()


@pytest.mark.usefixtures("_threads_put_back")
def test_threads_are_those_that_torch_may_use_and_the_process_has(monkeypatch):
    torch.set_num_threads(2)
    for there, usable in ((1, 1), (2, 2), (64, 2)):
        monkeypatch.setattr(device, "available_cpus", lambda there=there: there)
        assert device.usable_cpus() == usable


@pytest.mark.usefixtures("_threads_put_back")
def test_threads_are_put_back_even_after_an_error():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), device.threads(1):
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("_threads_put_back")
@pytest.mark.parametrize(("seconds", "expected"), [({1: 1.0, 2: 0.55}, 2), ({1: 1.0, 2: 1.1}, 1)])
def test_a_single_slice_gets_more_threads_where_they_help(seconds, expected, monkeypatch):
    torch.set_num_threads(2)
    device.threads_for_one_slice.cache_clear()
    monkeypatch.setattr(device, "available_cpus", lambda: 2)
    monkeypatch.setattr(device, "_seconds", lambda *_: seconds[torch.get_num_threads()])
    assert device.threads_for_one_slice() == expected
