"""The published network as it is bundled: there, described, and usable like any other."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.models import get_model, list_models
from napari_spineseg.sample_data import LABELS, T2, sample_path
from napari_spineseg.segment import SegmentSettings, segment


@pytest.fixture(scope="module")
def model():
    return load_model(get_model("ahmed2024").weights)


def test_it_is_listed_after_the_default():
    names = [entry.name for entry in list_models() if entry.bundled]
    assert names[0] == "lumbar"
    assert "ahmed2024" in names


def test_it_is_the_published_network_fed_as_published(model):
    assert model.card.network == "modified_unet"
    assert model.card.input.size_px == (256, 256)
    assert model.card.input.channels == 1
    assert model.card.input.normalise == "minmax"
    assert sum(p.numel() for p in model.network.parameters()) == 8_034_548


def test_its_card_says_who_taught_chose_and_tested_it(model):
    data, figures = model.card.data, model.card.figures
    assert data["patients"] == data["train"]
    assert not set(data["train"]) & set(data["choose"])
    assert not set(data["test"]) & {*data["train"], *data["choose"]}
    assert figures["protocol"] == "patients"
    assert 0.5 < figures["own_grid"]["mean"]["dice"] < 1
    assert "2409.06018" in model.card.attribution and "CC BY" in model.card.attribution
    assert any("T2 SPACE" in words for words in model.card.not_for)


def test_it_segments_the_sample():
    scan = read_scan(sample_path(T2))
    result = segment(scan, SegmentSettings(model="ahmed2024", scheme="structures", device="cpu"))
    truth = read_segmentation(sample_path(LABELS[T2]))
    assert result.segmentation.grid.same_place_as(scan.grid)
    assert result.segmentation.provenance["model"]["name"] == "ahmed2024"
    found, spine = result.segmentation.labels > 0, truth.labels > 0
    # A phantom is not what it learnt from, but most of what it finds is spine.
    assert found.sum() > 0.05 * spine.sum()
    assert np.count_nonzero(found & spine) > 0.5 * found.sum()
