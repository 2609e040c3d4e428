import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.errors import ModelError
from napari_spineseg.models import get_model, list_models, registry
from napari_spineseg.models.versions import add_version, remove_version, rollback, use_model


def test_versions_count_up_and_load(weights):
    keys = [add_version("own", weights, {"parent": "lumbar@1"}).key for _ in range(3)]
    assert keys == ["own@1", "own@2", "own@3"]
    model = load_model(get_model("own@2").weights)
    assert (model.card.name, model.card.version, model.card.parent) == ("own", "2", "lumbar@1")


def test_the_newest_promoted_version_is_what_a_name_means(weights):
    add_version("own", weights)
    add_version("own", weights, {"promoted": False})
    assert get_model("own").key == "own@1"
    assert get_model("own@2").card["promoted"] is False


def test_many_at_once_get_numbers_of_their_own(weights):
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: add_version("own", weights).key, range(16)))
    assert sorted(keys) == sorted(f"own@{n}" for n in range(1, 17))


def test_a_half_written_version_is_never_seen(weights):
    folder = add_version("own", weights).weights.parent
    (folder / "2.json").write_text("")
    (folder / "3.safetensors").write_bytes(b"half")
    (folder / ".4.safetensors.99").write_bytes(b"half")
    assert [e.key for e in list_models()] == ["own@1"]
    assert get_model("own").key == "own@1"
    assert add_version("own", weights).version not in ("1", "2")


def test_use_and_rollback(weights):
    for _ in range(3):
        add_version("own", weights)
    use_model("own@1")
    use_model("own@3")
    assert get_model().key == "own@3"
    assert rollback().key == "own@1" and get_model().key == "own@1"


def test_a_new_version_of_the_model_in_use_waits_to_be_chosen(weights, monkeypatch):
    """Nobody has chosen yet, and the bundled default gets a child of its own name."""
    registry.BUNDLED.mkdir()
    for ending in (".safetensors", ".json"):
        path = weights.with_suffix(ending)
        text = path.read_bytes()
        (registry.BUNDLED / f"lumbar{ending}").write_bytes(text.replace(b'"made"', b'"lumbar"'))
    monkeypatch.setattr(registry, "DEFAULT_MODEL", "lumbar")
    assert get_model().key == "lumbar@1"
    assert add_version("lumbar", weights, {"promoted": True}).key == "lumbar@2"
    assert get_model().key == "lumbar@1"
    use_model("lumbar@2")
    assert get_model().key == "lumbar@2" and rollback().key == "lumbar@1"


def test_a_refused_version_is_not_meant_by_its_name_once_it_was_rolled_back(weights):
    for name, promoted in (("other", True), ("own", True), ("own", False)):
        add_version(name, weights, {"promoted": promoted})
    use_model("other")
    use_model("own@2")
    assert get_model("own").key == "own@2"
    assert rollback().key == "other@1" and get_model("own").key == "own@1"


def test_rollback_passes_over_what_was_removed(weights):
    for _ in range(3):
        add_version("own", weights)
    for version in (1, 2, 3):
        use_model(f"own@{version}")
    remove_version("own@2")
    assert rollback().key == "own@1"


def test_nothing_to_roll_back_to_is_said(weights):
    with pytest.raises(ModelError, match="no earlier model"):
        rollback()


def test_what_is_in_use_or_has_children_stays(weights):
    for name, parent in (("own", None), ("child", "own@1"), ("other", None)):
        add_version(name, weights, {"parent": parent})
    use_model("other")
    with pytest.raises(ModelError, match="in use"):
        remove_version("other@1")
    with pytest.raises(ModelError, match="child@1"):
        remove_version("own@1")
    remove_version("child@1")
    remove_version("own@1")
    assert [e.key for e in list_models()] == ["other@1"]


def test_a_name_that_leads_elsewhere_is_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="no good name for a model"):
        add_version("../out", weights)
    assert not (tmp_path / "out").exists()


def test_cards_stay_strict_json(weights):
    entry = add_version("own", weights, {"figures": {"dice": 0.5}})
    assert json.loads(entry.weights.with_suffix(".json").read_text())["figures"] == {"dice": 0.5}
