import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.networks import modified_unet
from napari_spineseg.core.train import Trainer
from napari_spineseg.datasets.crops import UNLABELLED
from napari_spineseg.errors import SettingsError, Stopped
from napari_spineseg.learning.ahmed2024 import default, published
from napari_spineseg.learning.ahmed2024.published import Feed, pooled_iou
from napari_spineseg.learning.ahmed2024.reproduce import load_results, reproduce
from napari_spineseg.learning.ahmed2024.settings import ReproduceSettings
from napari_spineseg.learning.ahmed2024.slices import read_slices
from napari_spineseg.progress import Control

SETTINGS = ReproduceSettings(batch=2, epochs=1, precision="fp32", device="cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A narrow published network and a small default one: the way counts here, not what they learn."""
    monkeypatch.setattr(modified_unet, "ENCODER_WIDTHS", (2, 3, 4, 4, 4, 4))
    monkeypatch.setattr(modified_unet, "DECODER_WIDTHS", (4, 4, 4, 4))
    recipe = default.default_recipe()
    recipe = recipe.model_copy(
        update={
            "arguments": {"in_channels": 3, "classes": 4, "widths": [8, 16]},
            "input": recipe.input.model_copy(update={"stride": 4}),
        }
    )
    from napari_spineseg.learning.ahmed2024 import reproduce as module

    for place in (default, module):
        monkeypatch.setattr(place, "default_recipe", lambda: recipe)
    monkeypatch.setattr(default, "CROPS", default.CROPS.model_copy(update={"height_px": 32, "width_px": 32}))


@pytest.fixture
def data(write_release, tmp_path):
    return write_release(tmp_path / "data", {str(n): range(3) for n in range(1, 5)})


def test_both_networks_train_and_are_scored(data, tmp_path):
    told = []
    results = reproduce(SETTINGS, data, tmp_path / "out", on_result=told.append)
    assert [r["network"] for r in results] == ["published", "default"]
    assert told == results == load_results(tmp_path / "out")[::-1]
    for result in results:
        assert result["slices"] == {"train": 11, "choose": 1, "test": 1}
        assert result["training"]["epochs"] == pytest.approx(12 / 11, abs=0.01)
        folder = tmp_path / "out" / "slices" / "fold0" / result["network"]
        model = load_model(folder / "model.safetensors")
        assert model.card.sha256 == result["sha256"]
        assert set(model.card.data["test"]) <= {"1", "2", "3", "4"}
        assert model.card.figures["own_grid"] == result["own_grid"]
        assert ("calibration" in model.card.figures) == (result["network"] == "published")


def test_a_stopped_training_goes_on_where_it_was(data, tmp_path, monkeypatch):
    seen = []
    train_step = Trainer._train_step
    monkeypatch.setattr(published, "_SAVE_EVERY", 1)
    monkeypatch.setattr(
        Trainer, "_train_step", lambda self, b: (seen.append(self.step), train_step(self, b))[1]
    )
    settings = SETTINGS.model_copy(update={"network": "published", "epochs": 2})
    with pytest.raises(Stopped):
        reproduce(settings, data, tmp_path / "out", Control(should_stop=lambda: len(seen) == 2))
    reproduce(settings, data, tmp_path / "out")
    assert seen == list(range(12))
    # And a finished one is only scored again.
    reproduce(settings, data, tmp_path / "out")
    assert len(seen) == 12


def test_another_call_is_not_mixed_into_a_run(data, tmp_path):
    settings = SETTINGS.model_copy(update={"network": "default"})
    reproduce(settings, data, tmp_path / "out")
    with pytest.raises(SettingsError, match="another seed"):
        reproduce(settings.model_copy(update={"seed": 5}), data, tmp_path / "out")
    with pytest.raises(SettingsError, match="another epochs"):
        reproduce(settings.model_copy(update={"epochs": 5}), data, tmp_path / "out")


def test_a_pass_sees_every_slice_once_and_each_pass_in_its_own_order(data):
    slices = read_slices(data)
    slices.images[:] = np.arange(12)[:, None, None]
    slices.images[:, 0, 0] = 0
    slices.structures[:] = np.arange(12)[:, None, None]
    feed = Feed(slices, np.arange(2, 12), batch=4, seed=1)
    assert feed.steps == 3
    order = [int(v) for step in range(5) for v in feed(step).target[:, 0, 0]]
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(2, 12))
    assert order[:10] != order[10:20]
    assert torch.equal(feed(3).target, feed(3).target)
    assert float(feed(0).image.max()) == 1


def test_the_labels_of_tested_slices_never_reach_the_default_network(data):
    slices = read_slices(data)
    train = np.array([0, 2, 3, 4, 5])
    volumes = default.prepared(slices, train)
    labelled = {
        (s, p) for s, v in enumerate(volumes) for p, t in enumerate(v.structures) if (t != UNLABELLED).any()
    }
    assert labelled == {(int(slices.stack[i]), int(slices.place[i])) for i in train}
    assert all((v.values.std((1, 2)) > 0).all() for v in volumes)


def test_pooled_iou_by_hand():
    reference = np.array([[[0, 1, 1, 2]], [[3, 3, 3, 0]]], np.uint8)
    predicted = np.array([[[1, 1, 0, 2]], [[3, 3, 0, 2]]], np.uint8)
    figures = pooled_iou(reference, predicted)
    assert figures["iou"] == pytest.approx([1 / 3, 1 / 2, 2 / 3], abs=1e-4)
    assert figures["mean_iou"] == pytest.approx(0.5)


def test_settings_of_a_run_are_kept_beside_it(data, tmp_path):
    reproduce(SETTINGS.model_copy(update={"network": "default"}), data, tmp_path)
    kept = json.loads((tmp_path / "slices" / "fold0" / "default" / "settings.json").read_text())
    assert kept["seed"] == 0 and kept["protocol"] == "slices"


def test_the_bundled_model_is_only_scored_on_patients_it_does_not_know(write_release, tmp_path):
    settings = SETTINGS.model_copy(update={"protocol": "patients", "network": "bundled"})
    strangers = write_release(tmp_path / "a", {str(900 + n): range(2) for n in range(4)})
    (result,) = reproduce(settings, strangers, tmp_path / "out")
    assert result["training"] is None
    assert result["test_with_neighbour_in_training"] == 0
    known = write_release(tmp_path / "b", {n: range(2) for n in ("11", "22", "24", "28")})
    with pytest.raises(SettingsError, match="learnt from patient"):
        reproduce(settings, known, tmp_path / "other")


def test_settings_are_whole_whenever_the_computer_goes_off(tmp_path, monkeypatch):
    """What was cut short could not be read by the call that was to go on."""
    from napari_spineseg.learning.ahmed2024.reproduce import _same_settings

    _same_settings(SETTINGS, tmp_path)

    def cut_short(path, text, **_):
        path.write_bytes(text[:9].encode())
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_text", cut_short)
    with suppress(OSError):
        _same_settings(SETTINGS, tmp_path)
    assert json.loads((tmp_path / "settings.json").read_text())["protocol"] == SETTINGS.protocol
