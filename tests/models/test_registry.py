import json

import pytest

from napari_spineseg.errors import ModelError
from napari_spineseg.models import DEFAULT_MODEL, get_model, home, list_models, model_in_use, registry


def put(home, name, version, **card):
    """An own model whose weights nobody loads."""
    folder = home / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{version}.safetensors").write_bytes(b"")
    (folder / f"{version}.json").write_text(
        json.dumps({"name": name, "version": version, "title": "Own"} | card)
    )


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundled folder with the default model and another."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    for name in (DEFAULT_MODEL, "ahmed2024"):
        (folder / f"{name}.safetensors").write_bytes(b"")
        card = {"name": name, "version": "1", "title": f"The {name} model", "sha256": "ab"}
        (folder / f"{name}.json").write_text(json.dumps(card | {"structures": ["background", "disc"]}))
    monkeypatch.setattr(registry, "BUNDLED", folder)
    return folder


def test_the_home_can_be_moved(spineseg_home):
    assert home() == spineseg_home


def test_default_comes_first_and_own_models_last(bundle, spineseg_home):
    put(spineseg_home, "clinic", "1")
    assert [e.key for e in list_models()] == ["lumbar@1", "ahmed2024@1", "clinic@1"]


def test_without_a_name_the_default_is_meant(bundle, spineseg_home):
    entry = get_model()
    assert (entry.name, entry.bundled, entry.title) == (DEFAULT_MODEL, True, "The lumbar model")
    assert entry.structures == ("disc",)


def test_a_name_means_its_newest_version(bundle, spineseg_home):
    for version in ("2", "9", "10"):
        put(spineseg_home, "lumbar", version)
    assert get_model("lumbar").version == "10"
    assert get_model("lumbar@2").weights == spineseg_home / "models" / "lumbar" / "2.safetensors"
    assert get_model("lumbar@1").bundled


def test_a_choice_is_kept_to(bundle, spineseg_home):
    put(spineseg_home, "lumbar", "2")
    put(spineseg_home, "clinic", "1")
    choice = {"default": "clinic@1", "names": {"lumbar": "1"}}
    (spineseg_home / "models" / "in-use.json").write_text(json.dumps(choice))
    assert model_in_use() == "clinic@1"
    assert get_model().key == "clinic@1"
    assert get_model("lumbar").key == "lumbar@1"


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_choice_counts_as_none(bundle, spineseg_home, content):
    put(spineseg_home, "clinic", "1")
    (spineseg_home / "models" / "in-use.json").write_text(content)
    assert get_model().name == DEFAULT_MODEL


@pytest.mark.parametrize(
    "name", ["nobody", "../lumbar", "lumbar/../x", "/etc/passwd", " ", "lumbar@7", "lumbar@../1"]
)
def test_unknown_names_say_what_there_is(bundle, spineseg_home, name):
    with pytest.raises(ModelError, match=r"Known models: ahmed2024, lumbar|Its versions are: 1"):
        get_model(name)


def test_a_broken_card_hides_no_other_model(bundle, spineseg_home):
    put(spineseg_home, "clinic", "1")
    (spineseg_home / "models" / "clinic" / "1.json").write_text("not json")
    assert [e.name for e in list_models()] == ["lumbar", "ahmed2024"]
    with pytest.raises(ModelError, match=r"1\.json is not a model card"):
        get_model("clinic").card  # noqa: B018


def test_a_missing_card_is_named(bundle, spineseg_home):
    put(spineseg_home, "clinic", "1")
    (spineseg_home / "models" / "clinic" / "1.json").unlink()
    with pytest.raises(ModelError, match=r"1\.json is missing"):
        get_model("clinic").card  # noqa: B018


def test_half_written_versions_are_not_seen(bundle, spineseg_home):
    put(spineseg_home, "clinic", "1")
    (spineseg_home / "models" / "clinic" / ".2.safetensors").write_bytes(b"")
    assert get_model("clinic").version == "1"
