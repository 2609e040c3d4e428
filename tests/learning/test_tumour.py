"""The tumour model's training: patches, stages, resuming, and the figures that are printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.networks.penn import PENN
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.learning.pretrain import find_recipe, read_recipe
from napari_spineseg.learning.tumour import (
    LastStage,
    TumourSettings,
    figures_of,
    fitted_temperature,
    is_tumour_recipe,
    patch_figures,
    pretrain_tumour,
    split,
)
from napari_spineseg.learning.tumour_crops import ECHO_AFTER, ECHOES, PatchBatch, PatchSampler, PatchSettings
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.synthesis.tissues import paint_tissues

SPACING = (4.0, 1.0, 1.0)
SMALL = PatchSettings(pixel_mm=1.0, sizes_px=(32, 48), synthetic_share=0.5)


@pytest.fixture(scope="module")
def volumes() -> list[PreparedVolume]:
    settings = PhantomSettings(seed=5, spacing_mm=SPACING, field_of_view_mm=(28, 150, 120))
    scan, truth = make_phantom(settings)
    image = scan.sagittal().astype(np.float32)
    levels = truth.grid.to_orientation().apply(truth.labels)
    structures = levels_to_structures(levels)
    grey = (image / np.percentile(image, 99.5) * 255).clip(0, 255).astype(np.uint8)
    tissues = paint_tissues(levels, SPACING, 1)
    return [
        PreparedVolume("a", "a", "image", grey, structures, SPACING[0], SPACING[1]),
        PreparedVolume("b", "b", "tissues", tissues, structures, SPACING[0], SPACING[1]),
    ]


def test_a_batch_is_what_the_network_needs(volumes):
    batch = PatchSampler(volumes, SMALL, 1).batch(0, 12)
    count, _, height, _ = batch.image.shape
    assert batch.image.shape[1:] == (3, height, height) and height in (32, 48)
    assert batch.target.shape == batch.anatomy.shape == (count, height, height)
    assert set(batch.target.unique().tolist()) == {0, 1} and batch.target.dtype == torch.int64
    assert torch.isfinite(batch.image).all() and -1.5 < batch.image.mean() < 1.5
    assert {0, 1, 2, 3} >= set(batch.anatomy.unique().tolist()) and (batch.anatomy > 0).any()


def test_patches_are_balanced(volumes):
    sampler = PatchSampler(volumes, SMALL, 2)
    kinds = torch.cat([sampler.draw(step, 24).kind for step in range(3)])
    shares = torch.bincount(kinds, minlength=3) / len(kinds)
    assert 0.4 < shares[2] < 0.85 and shares[1] > 0.05 and shares[0] > 0.03


def test_the_class_of_a_patch_is_what_is_in_it(volumes):
    batch = PatchSampler(volumes, SMALL, 3).draw(0, 24)
    assert torch.equal(batch.kind == 2, batch.target.flatten(1).any(1))


def test_batches_depend_on_seed_and_step_alone(volumes):
    first, second = (PatchSampler(volumes, SMALL, 1) for _ in range(2))
    first.batch(0, 4)
    assert torch.equal(first.batch(3, 4).image, second.batch(3, 4).image)
    assert not torch.equal(first.draw(4, 4).image.mean(), first.draw(5, 4).image.mean())


def test_each_batch_comes_back_with_its_neighbours_changed_over(volumes):
    sampler = PatchSampler(volumes, SMALL, 1)
    first, second, third, *_ = (sampler.batch(1 + k * ECHO_AFTER, 4) for k in range(ECHOES))
    assert torch.equal(first.image, third.image) and torch.equal(first.image.flip(1), second.image)
    assert torch.equal(first.target, second.target)
    # After a restart the echo is drawn anew, and is the same.
    assert torch.equal(PatchSampler(volumes, SMALL, 1).batch(1 + ECHO_AFTER, 4).image, second.image)
    assert not torch.equal(sampler.batch(1 + ECHOES * ECHO_AFTER, 4).target, first.target)


def test_without_shares_no_patch_shows_a_lesion(volumes):
    plain = SMALL.model_copy(update={"tumour_share": 0.0, "border_share": 0.0, "hard_share": 0.0})
    batch = PatchSampler(volumes, plain, 1).draw(0, 12)
    assert not batch.target.any() and not batch.kind.any()


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
    assert {"reconstruct", "classify", "last"} <= {path.name for path in tmp_path.iterdir()}


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
