"""The bundled model on a bundled sample, from file to figures, as a person would call it."""

import json

import pytest

from napari_spineseg.cli import main
from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.models import DEFAULT_MODEL, get_model, list_models
from napari_spineseg.sample_data import LABELS, T2, sample_path


def call(*words) -> int:
    with pytest.raises(SystemExit) as exit_:
        main([str(word) for word in words])
    return int(exit_.value.code or 0)


def test_there_is_a_default_model():
    assert get_model().name == DEFAULT_MODEL
    assert get_model().bundled


@pytest.mark.parametrize("entry", [e for e in list_models() if e.bundled], ids=lambda e: e.name)
def test_every_bundled_model_is_whole(entry):
    """Loading compares the weights with the sha256 of the card, and the card with the network."""
    assert load_model(entry.weights).card.name == entry.name


def test_the_sample_is_segmented_and_numbered(tmp_path, capfd, monkeypatch):
    """Not a measure of accuracy, which is `make accuracy`: a model that was broken would fail here."""
    monkeypatch.setenv("SPINESEG_HOME", str(tmp_path / "home"))
    assert call("segment", sample_path(T2), "-o", tmp_path, "--device", "cpu") == 0
    record = json.loads((tmp_path / "lumbar_t2_seg.json").read_text())
    assert record["model"]["name"] == DEFAULT_MODEL
    capfd.readouterr()

    assert call("evaluate", tmp_path / "lumbar_t2_seg.nii.gz", sample_path(LABELS[T2]), "--json") == 0
    summary = json.loads(capfd.readouterr().out.splitlines()[-1])["summary"]
    for structure in ("vertebra", "disc", "spinal canal"):
        assert summary["structures"][structure]["dice"] > 0.6, structure
    for level in ("L5", "L4", "L3", "L2", "L5/S1", "L4/L5", "L3/L4", "L2/L3"):
        assert summary["levels"][level]["dice"] > 0.5, level
