"""Which models the page offers, and what each stands for."""

from __future__ import annotations

import json
import shutil

import pytest

from napari_spineseg.models import get_model, model_in_use
from napari_spineseg.segment import SegmentSettings
from napari_spineseg.widgets.network_choices import model_choices, parent_choices


@pytest.fixture
def own_model(spineseg_home, tiny_weights):
    """Two versions of a model of one's own, `mine`."""
    folder = spineseg_home / "models" / "mine"
    folder.mkdir(parents=True)
    for version in ("1", "2"):
        for file in (tiny_weights, tiny_weights.with_suffix(".json")):
            shutil.copy(file, folder / f"{version}{file.suffix}")
    return folder


def choose(home, choice: dict) -> None:
    (home / "models" / "in-use.json").write_text(json.dumps(choice))


def test_every_choice_means_what_it_says(own_model):
    values = [value for value, _ in model_choices()]
    assert model_in_use() in values
    assert "mine" in values and "mine@1" in values and "mine@2" not in values
    assert get_model("mine").version == "2"
    for value in values:
        SegmentSettings(model=value)
        get_model(value)


def test_where_versions_matter_each_is_told_by_its_full_name(own_model):
    words = [words for _, words in model_choices(keys=True)]
    assert {"lumbar@1", "mine@1", "mine@2"} <= {w.partition(": ")[0] for w in words}


def test_the_model_in_use_is_among_them_by_its_full_name(own_model, spineseg_home):
    choose(spineseg_home, {"default": "mine@2"})
    assert SegmentSettings().model == "mine@2"
    assert "mine@2" in [value for value, _ in model_choices()]


def test_a_version_that_is_gone_does_not_keep_the_page_from_opening(own_model, spineseg_home):
    choose(spineseg_home, {"names": {"mine": "9"}})
    assert {"mine@1", "mine@2"} <= {value for value, _ in model_choices()}


def test_learning_starts_only_from_what_can_learn(own_model, spineseg_home):
    card = own_model / "2.json"
    said = json.loads(card.read_text())
    card.write_text(json.dumps(said | {"input": {**said.get("input", {}), "normalise": "minmax"}}))
    offered = [words.partition(": ")[0] for _, words in parent_choices()]
    assert {"lumbar@1", "tumour@1", "mine@1"} <= set(offered)
    assert not {"ahmed2024@1", "mine@2"} & set(offered)
    # With one of those in use there is still something to start from.
    choose(spineseg_home, {"default": "ahmed2024@1"})
    assert "lumbar" in [value for value, _ in parent_choices()]


def test_a_new_model_appears_when_the_page_is_shown_again(spineseg_home, lone_page, tiny_weights):
    box = lone_page.main_form.editor("model")
    before, chosen = box.count(), box.currentData()
    folder = spineseg_home / "models" / "late"
    folder.mkdir(parents=True)
    for file in (tiny_weights, tiny_weights.with_suffix(".json")):
        shutil.copy(file, folder / f"1{file.suffix}")
    lone_page.hide()
    lone_page.show()
    assert box.count() == before + 1 and box.currentData() == chosen
