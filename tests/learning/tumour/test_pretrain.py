"""The tumour model's training: stages, resuming, and the figures that are printed."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.networks.penn import PENN
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.recipe import find_recipe, read_recipe
from napari_spineseg.learning.tumour.figures import figures_of, patch_figures
from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import PatchBatch
from napari_spineseg.learning.tumour.pretrain import fitted_temperature, pretrain_tumour, split
from napari_spineseg.learning.tumour.recipe import LastStage, TumourSettings, is_tumour_recipe
from napari_spineseg.learning.tumour.stages import measure_norms
from napari_spineseg.synthesis.lesions import HELD_OUT_FORMS, TUMOURS

SMALL = PatchSettings(pixel_mm=1.0, sizes_px=(32, 48), synthetic_share=0.5)


@pytest.fixture(scope="module")
def prepared(volumes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    for name, volume in zip(("train", "tissues"), volumes, strict=True):
        (folder / name).mkdir()
        volume.save(folder / name)
    (folder / "val").mkdir()
    held = volumes[0]
    PreparedVolume("c", "c", "image", held.values, held.structures, held.slice_mm, held.spacing_mm).save(
        folder / "val"
    )
    return folder


def tiny(**changes) -> TumourSettings:
    recipe = read_recipe(find_recipe("tumour"), TumourSettings)
    train = recipe.train.model_copy(
        update={"steps": 4, "batch": 4, "warm_up": 1, "validate_every": 4, "save_every": 2}
    )
    small = {
        "arguments": {"in_channels": 3, "classes": 2, "widths": [4, 8]},
        "input": recipe.input.model_copy(update={"spacing_mm": 1.0, "stride": 4}),
        "patches": SMALL,
        "reconstruct_steps": 2,
        "classify_steps": 2,
        "last": LastStage(steps=2, patches=SMALL),
        "finish": (LastStage(steps=2, batch=2, loss="hardest", patches=SMALL),),
        "train": train,
        "held_out_tissues": (),
    }
    return recipe.model_copy(update=small | changes)


def test_a_recipe_becomes_a_model_with_an_honest_card(prepared, tmp_path):
    card = pretrain_tumour(tiny(), prepared, tmp_path)
    model = load_model(tmp_path / "tumour.safetensors")
    assert isinstance(model.network, PENN)
    first_line = next(
        line for line in json.dumps(card.model_dump(mode="json"), indent=1).splitlines() if "title" in line
    )
    assert "SYNTHETIC" in first_line and "NOT VALIDATED" in first_line
    assert card.structures == ["background", "tumour"]
    assert set(card.figures["held-out patches"]) == {"precision", "recall", "accuracy", "f1", "iou", "dice"}
    assert card.data["patients"] == ["a", "b"]
    assert {"reconstruct", "classify", "last", "finish1"} <= {path.name for path in tmp_path.iterdir()}


def test_a_finished_run_is_not_trained_again(prepared, tmp_path):
    pretrain_tumour(tiny(), prepared, tmp_path)
    before = (tmp_path / "log.jsonl").read_text()
    pretrain_tumour(tiny(), prepared, tmp_path)
    assert (tmp_path / "log.jsonl").read_text() == before


def test_stages_can_be_left_out(prepared, tmp_path):
    pretrain_tumour(tiny(reconstruct_steps=0, classify_steps=0, anatomy_weight=0.0), prepared, tmp_path)
    assert not (tmp_path / "classify").exists()


def test_a_patient_is_on_one_side_only(prepared):
    train, held = split(tiny(held_out_tissues=("b",)), prepared)
    assert [v.patient for v in train] == ["a"] and [v.patient for v in held] == ["c", "b"]


def test_the_bundled_recipe_holds_out_patients_and_is_known_as_one_for_tumours():
    assert is_tumour_recipe(find_recipe("tumour")) and not is_tumour_recipe(find_recipe("lumbar"))
    assert len(read_recipe(find_recipe("tumour"), TumourSettings).held_out_tissues) >= 5


def test_no_stage_of_the_bundled_recipe_shows_an_outline_that_tests_keep_back():
    recipe = read_recipe(find_recipe("tumour"), TumourSettings)
    for stage in (recipe, recipe.last, *recipe.finish):
        assert not {*stage.patches.forms} & {*HELD_OUT_FORMS}
        assert {*stage.patches.kinds} == {*TUMOURS}


def test_a_stage_can_keep_a_share_of_what_was_before_it(prepared, tmp_path):
    finish = LastStage(steps=2, batch=2, learning_rate=1.0, loss="hardest", patches=SMALL)
    weights = {}
    for keep in (0.0, 0.5):
        stages = (finish.model_copy(update={"keep": keep}),)
        pretrain_tumour(tiny(finish=stages), prepared, tmp_path / str(keep))
        weights[keep] = load_model(tmp_path / str(keep) / "tumour.safetensors").network
    before = load_file(tmp_path / "0.0" / "last" / "state_0.safetensors")
    name = "encoder.0.0.weight"
    start = before[f"averaged/network.{name}"]
    whole, half = (weights[keep].state_dict()[name].float() for keep in (0.0, 0.5))
    assert not torch.allclose(whole, start, atol=1e-2)
    assert torch.allclose(half, (start + whole) / 2, atol=1e-2)


def test_norms_are_measured_anew():
    torch.manual_seed(0)
    network = PENN(3, 2, (4, 8))
    batch = PatchBatch(5 + torch.randn(4, 3, 16, 16), *(torch.zeros(4, 16, 16),) * 2, torch.zeros(4))
    measure_norms(network, [batch] * 3)
    first = network.encoder[0]
    assert torch.allclose(first[1].running_mean, first[0](batch.image).mean((0, 2, 3)), atol=1e-4)
    assert first[1].momentum == 0.1


class Oracle(torch.nn.Module):
    """Says what `truth` says, with logits `sure` apart."""

    def __init__(self, truth: torch.Tensor, sure: float) -> None:
        super().__init__()
        self.truth, self.sure = truth, sure
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        one = torch.nn.functional.one_hot(self.truth, 2).movedim(-1, 1).float()
        return one * self.sure


def some_batch() -> PatchBatch:
    target = (torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(0)) < 0.3).long()
    return PatchBatch(torch.zeros(2, 3, 16, 16), target, target, torch.full((2,), 2))


def test_figures_of_a_perfect_and_of_a_blind_network():
    batch = some_batch()
    assert patch_figures(Oracle(batch.target, 5.0), [batch])["dice"] == 1.0
    blind = patch_figures(Oracle(torch.zeros_like(batch.target), 5.0), [batch])
    assert blind["dice"] == blind["recall"] == 0 and 0.6 < blind["accuracy"] < 0.8


def test_figures_are_those_of_their_formulas():
    figures = figures_of(hit=60, wrong=20, missed=40, right=880)
    assert figures["precision"] == 0.75 and figures["recall"] == 0.6
    assert figures["iou"] == 0.5 and figures["accuracy"] == 0.94
    assert figures["dice"] == figures["f1"] == pytest.approx(2 / 3, abs=1e-4)


def test_an_overconfident_network_gets_a_higher_temperature():
    batch = some_batch()
    wrong = torch.where(torch.rand(batch.target.shape) < 0.2, 1 - batch.target, batch.target)
    assert fitted_temperature(Oracle(wrong, 4.0), [batch]) > fitted_temperature(Oracle(wrong, 1.4), [batch])
