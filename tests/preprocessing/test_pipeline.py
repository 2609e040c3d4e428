"""Recipes: order, history, undo, files, and words of a command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_spineseg.errors import OutputError, SettingsError, Stopped
from napari_spineseg.preprocessing import (
    STEPS,
    Pipeline,
    Tools,
    bundled,
    find_preset,
    make_step,
    name_of,
    parse_step,
    read_preset,
    replay,
    step_words,
    undo,
    write_preset,
)
from napari_spineseg.progress import Control

RECIPE = Pipeline(
    name="mine",
    steps=[
        {"step": "reorient"},
        {"step": "crop", "head_mm": 5},
        {"step": "clip", "upper_percent": 98},
        {"step": "resample", "spacing_mm": 0.8},
        {"step": "zscore"},
    ],
)


def test_steps_run_in_order_and_are_written_down(tissue_scan):
    after = RECIPE(tissue_scan)
    assert [entry["step"] for entry in after.history] == ["reorient", "crop", "clip", "resample", "zscore"]
    assert after.history[1]["settings"]["head_mm"] == 5
    by_hand = tissue_scan
    for step in RECIPE.steps:
        by_hand = step(by_hand)
    assert np.array_equal(after.voxels, by_hand.voxels)
    assert json.loads(json.dumps(after.history)) == list(after.history)


def test_replay_gives_the_same_bits_without_the_reference(tissue_scan):
    reference = tissue_scan.with_voxels(tissue_scan.voxels * 2)
    recipe = Pipeline(
        steps=[{"step": "match", "reference": "x"}, {"step": "n4", "levels": 1}, {"step": "tv"}]
    )
    after = recipe(tissue_scan, Tools(open_scan=lambda name: reference))
    again = replay(tissue_scan, json.loads(json.dumps(after.history)))
    assert np.array_equal(again.voxels, after.voxels)


def test_undo_takes_the_last_steps_back(tissue_scan):
    after = RECIPE(tissue_scan)
    before_last = Pipeline(steps=RECIPE.steps[:-1])(tissue_scan)
    undone = undo(after, tissue_scan)
    assert np.array_equal(undone.voxels, before_last.voxels)
    assert len(undone.history) == 4
    assert np.array_equal(undo(after, tissue_scan, steps=99).voxels, tissue_scan.voxels)


def test_undo_of_another_scan_is_refused(tissue_scan):
    with pytest.raises(SettingsError, match="not made from"):
        undo(tissue_scan, RECIPE(tissue_scan))


def test_progress_names_the_step(tissue_scan):
    seen = []
    Pipeline(steps=[{"step": "tv"}, {"step": "resample"}])(tissue_scan, control=Control(seen.append))
    assert seen[0].stage == "Denoising (1 of 2)"
    assert seen[-1].stage == "Resampling (2 of 2)"
    assert seen[-1].done == seen[-1].total


def test_a_stopped_recipe_leaves_the_scan(tissue_scan):
    before = tissue_scan.voxels.copy()
    with pytest.raises(Stopped):
        RECIPE(tissue_scan, control=Control(should_stop=lambda: True))
    assert np.array_equal(before, tissue_scan.voxels)


@pytest.mark.parametrize("name", ["clinical-t2", "clinical-t1", "thick-slices", "as-published"])
def test_bundled_presets_work(name, tissue_scan):
    preset = bundled()[name]
    after = preset(tissue_scan)
    assert preset.name and preset.about
    assert len(after.history) == len(preset.steps)
    assert np.isfinite(after.voxels).all()


def test_as_published_is_what_the_paper_says(tissue_scan):
    after = find_preset("as-published")(tissue_scan)
    assert after.voxels.dtype == np.uint8
    assert after.voxels.shape == (10, 640, 512)
    assert after.orientation == "RIP"
    assert after.voxels.reshape(10, -1).max(1).min() > 250  # interpolated between a slice's brightest pixels


@pytest.mark.parametrize("ending", [".yaml", ".yml", ".json"])
def test_presets_survive_a_file(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    write_preset(RECIPE, path)
    assert read_preset(path) == RECIPE
    assert find_preset(str(path)) == RECIPE
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_preset_file_holds_no_defaults(tmp_path):
    write_preset(RECIPE, tmp_path / "mine.yaml")
    assert "lower_percent" not in (tmp_path / "mine.yaml").read_text()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("steps: [{step: sharpen}]", "sharpen"),
        ("steps: [{step: clip, upper_percent: 140}]", "upper_percent"),
        ("steps: [{step: clip, gamma: 1}]", "gamma"),
        ("{", "cannot be read"),
        ("just words", "not a preset"),
    ],
)
def test_a_bad_preset_says_what_is_wrong(tmp_path, content, says):
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=says):
        read_preset(path)


def test_presets_that_are_not_there(tmp_path):
    with pytest.raises(SettingsError, match="clinical-t2"):
        find_preset("nonsense")
    with pytest.raises(SettingsError, match="cannot be read"):
        find_preset(str(tmp_path / "none.yaml"))
    with pytest.raises(OutputError, match="yaml"):
        write_preset(RECIPE, tmp_path / "mine.txt")
    with pytest.raises(OutputError, match="written"):
        write_preset(RECIPE, tmp_path / "nowhere" / "mine.yaml")


@pytest.mark.parametrize("step", RECIPE.steps, ids=lambda s: s.step)
def test_words_of_a_step_make_the_step(step):
    assert parse_step(step_words(step)) == step


def test_words_may_hold_a_path():
    step = parse_step("match:reference=/data/a,b: c/scan=1.nii.gz")
    assert step.reference == "/data/a,b: c/scan=1.nii.gz"
    assert parse_step(step_words(step)) == step


@pytest.mark.parametrize("name", [name_of(kind) for kind in STEPS])
def test_every_step_has_words_of_its_own(name):
    step = make_step(name, {})
    assert step_words(step) == name
    assert parse_step(name) == step
    assert step.title and step.help
    for field, about in type(step).model_fields.items():
        assert field == "step" or (about.title and about.description), field


@pytest.mark.parametrize("words", ["sharpen", "clip:upper_percent=no", "clip:what=1", "clip:99", "clip:=3"])
def test_words_that_are_no_step_are_refused(words):
    with pytest.raises(SettingsError):
        parse_step(words)
