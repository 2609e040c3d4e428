import json
import os

import numpy as np
import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.networks.spine_net import SpineNet
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.errors import SettingsError
from napari_spineseg.learning.blend import blended
from napari_spineseg.learning.pretrain import pretrain
from napari_spineseg.learning.recipe import find_recipe, read_recipe
from napari_spineseg.learning.tumour import is_tumour_recipe

RECIPE = """
name: tiny
arguments: {widths: [4, 8]}
input: {stride: 4}
crops: {height_px: 32, width_px: 32}
train: {steps: 2, batch: 2, warm_up: 1, validate_every: 1, save_every: 1}
train_folders: [train]
validation_folders: [val]
"""


@pytest.fixture
def prepared(tmp_path):
    rng = np.random.default_rng(0)
    for folder, patients in (("train", "12"), ("val", "23")):
        (tmp_path / folder).mkdir()
        for patient in patients:
            values = rng.integers(0, 255, (3, 40, 40)).astype(np.uint8)
            truth = (values > 128).astype(np.uint8)
            volume = PreparedVolume(f"p{patient}", patient, "image", values, truth, 4.0, 0.5)
            volume.save(tmp_path / folder)
    return tmp_path


def test_a_recipe_becomes_a_model_that_loads(prepared, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    card = pretrain(read_recipe(tmp_path / "recipe.yaml"), prepared, tmp_path / "out")
    model = load_model(tmp_path / "out" / "tiny.safetensors")
    assert model.card.sha256 == card.sha256
    assert card.figures["validation"]["val"]["vertebra"] is not None
    assert json.loads((tmp_path / "out" / "tiny.json").read_text())["training"]["train"]["seed"] == 0


def test_a_second_stage_goes_on_from_the_first(prepared, tmp_path):
    (tmp_path / "one.yaml").write_text(RECIPE)
    text = (
        RECIPE.replace("steps: 2,", "steps: 9, stop_after: 2,")
        + """
then:
  - crops: {height_px: 24, width_px: 24, inside: true}
    train: {steps: 1, batch: 2, warm_up: 1, learning_rate: 1.0e-12, weight_decay: 0, average: 0}
"""
    )
    (tmp_path / "two.yaml").write_text(text)
    pretrain(read_recipe(tmp_path / "one.yaml"), prepared, tmp_path / "a")
    pretrain(read_recipe(tmp_path / "two.yaml"), prepared, tmp_path / "b")
    first, second = (load_model(tmp_path / name / "tiny.safetensors").network for name in "ab")
    weights = zip(first.parameters(), second.parameters(), strict=True)
    assert all(np.allclose(a.detach(), b.detach(), atol=2e-3) for a, b in weights)
    assert (tmp_path / "b" / "stage2" / "state.json").is_file()


def test_what_is_blended_is_the_averaged_end_of_each_stage(prepared, tmp_path):
    """A later stage must not go on with the very weights that wait to be blended."""
    (tmp_path / "one.yaml").write_text(RECIPE)
    later = "\nthen:\n  - crops: {height_px: 24, width_px: 24}\n    train: {steps: 3, batch: 2, warm_up: 1}\n"
    (tmp_path / "two.yaml").write_text(RECIPE + later + "blend: [1, 0]\n")
    for name in ("one", "two"):
        pretrain(read_recipe(tmp_path / f"{name}.yaml"), prepared, tmp_path / name)
    first, blend = (load_model(tmp_path / name / "tiny.safetensors").network for name in ("one", "two"))
    for a, b in zip(first.parameters(), blend.parameters(), strict=True):
        assert np.allclose(a.detach(), b.detach(), atol=1e-4)


def test_a_stage_may_start_from_a_blend_of_those_before(prepared, tmp_path):
    still = "steps: 1, batch: 2, warm_up: 1, learning_rate: 1.0e-12, weight_decay: 0, average: 0"
    stages = ["train: {steps: 3, batch: 2, warm_up: 1}", f"train: {{{still}}}\n    start: [1, 0]"]
    crops = "  - crops: {height_px: 24, width_px: 24}\n    "
    (tmp_path / "one.yaml").write_text(RECIPE)
    (tmp_path / "three.yaml").write_text(RECIPE + "\nthen:\n" + "\n".join(crops + s for s in stages) + "\n")
    for name in ("one", "three"):
        pretrain(read_recipe(tmp_path / f"{name}.yaml"), prepared, tmp_path / name)
    first, third = (load_model(tmp_path / name / "tiny.safetensors").network for name in ("one", "three"))
    for a, b in zip(first.parameters(), third.parameters(), strict=True):
        assert np.allclose(a.detach(), b.detach(), atol=1e-4)


def test_a_blend_is_the_weighted_mean_of_its_stages():
    networks = [SpineNet(1, 2, (4, 8)) for _ in range(2)]
    mixed = blended(networks, (1, 3))
    for new, one, other in zip(mixed.parameters(), *(n.parameters() for n in networks), strict=True):
        assert np.allclose(new.detach(), (0.25 * one + 0.75 * other).detach(), atol=1e-6)
    with pytest.raises(SettingsError, match="3 shares for 2 stages"):
        blended(networks, (1, 1, 1))


def test_a_patient_who_is_validated_is_never_trained_on(prepared, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    card = pretrain(read_recipe(tmp_path / "recipe.yaml"), prepared, tmp_path / "out")
    assert card.data["patients"] == ["1"]


def test_the_bundled_recipe_is_one():
    assert read_recipe(find_recipe("lumbar")).name == "lumbar"


@pytest.mark.parametrize("text", ["steps: 3", "train: {steps: -1}", "train: ["])
def test_what_is_not_a_recipe_is_named(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.yaml is not a recipe"):
        read_recipe(tmp_path / "bad.yaml")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_recipe_that_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in (str(tmp_path / "pipe.yaml"), "nobody"):
        with pytest.raises(SettingsError, match="There is no recipe"):
            find_recipe(name)


def test_bytes_that_are_no_text_are_no_recipe(tmp_path):
    (tmp_path / "scan.yaml").write_bytes(b"\x1f\x8b\xff")
    assert not is_tumour_recipe(tmp_path / "scan.yaml")
    with pytest.raises(SettingsError, match=r"scan\.yaml is not a recipe"):
        read_recipe(tmp_path / "scan.yaml")
