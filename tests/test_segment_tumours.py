"""A tumour model in `segment`: its findings on top of the levels that another model counts."""

from __future__ import annotations

import json

import numpy as np
import pytest

import napari_spineseg.core.predict as core_predict
from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.predict import Prediction
from napari_spineseg.segment import SegmentSettings, segment
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.tumours.scan import WARNING


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(PhantomSettings(seed=2, spacing_mm=(4, 1.5, 1.5), field_of_view_mm=(60, 240, 150)))


@pytest.fixture
def models(spineseg_home, tiny_weights):
    """A tumour model and the one that counts levels, both untrained."""
    arguments = {"in_channels": 3, "classes": 2, "widths": [4, 8]}
    card = ModelCard(
        name="spots",
        network="penn",
        arguments=arguments,
        structures=["background", "tumour"],
        input=InputSpec(spacing_mm=2.0, stride=4),
    )
    save_model(build_network("penn", arguments), card, spineseg_home / "models" / "spots" / "1.safetensors")
    return spineseg_home


@pytest.fixture
def seen(monkeypatch, phantom):
    """Predictions from the truth: the tumour model marks a ball in the body of L3, the other the anatomy."""
    scan, truth = phantom
    structures = levels_to_structures(truth.labels)
    turn = scan.grid.to_orientation()
    levels = turn.apply(truth.labels)
    canal = np.argwhere(levels == 100)[:, 2].mean()
    body = np.argwhere((levels == 3) & (np.arange(levels.shape[2]) < canal - 12))
    middle = body.mean(0)
    grids = np.ogrid[tuple(slice(0, n) for n in levels.shape)]
    spacing = turn.grid.spacing
    ball = sum(((g - c) * mm) ** 2 for g, c, mm in zip(grids, middle, spacing, strict=True)) < 49
    mask = np.where(turn.invert(ball), np.uint8(Structure.TUMOUR), np.uint8(0))
    asked = []

    def predict(scan, model, options=None, control=None):
        asked.append(model.card.name)
        tumours = "tumour" in model.card.structures
        unsure = np.full(mask.shape, 0.1, np.float16) if options and options.uncertainty else None
        return Prediction(mask if tumours else structures, unsure, "cpu", "fp32", {})

    monkeypatch.setattr(core_predict, "predict", predict)
    return asked


def test_tumours_are_numbered_from_301_among_the_levels(phantom, models, seen):
    scan, _ = phantom
    result = segment(scan, SegmentSettings(model="spots"))
    assert sorted(seen) == ["lumbar", "spots"]
    found = result.segmentation.found()
    assert {1, 2, 3, 4, 5, 100, 301} <= set(found) and 302 not in found
    assert [f.where for f in result.findings] == ["L3 body"]
    assert "1 possible tumour" in result.summary and WARNING in result.segmentation.warnings
    assert result.uncertainty is None


def test_the_record_says_where_each_is_and_who_counted(phantom, models, seen):
    provenance = segment(phantom[0], SegmentSettings(model="spots")).segmentation.provenance
    provenance = json.loads(json.dumps(provenance))
    (tumour,) = provenance["tumours"]
    assert (tumour["label"], tumour["where"], tumour["level"]) == (301, "L3 body", "L3")
    assert tumour["mm"] == pytest.approx(14, abs=3) and 0.9 < tumour["confidence"] <= 1
    assert provenance["model"]["name"] == "spots" and provenance["levels_model"]["name"] == "lumbar"


def test_in_structures_a_tumour_is_4(phantom, models, seen):
    result = segment(phantom[0], SegmentSettings(model="spots", scheme="structures"))
    assert set(result.segmentation.found()) == {1, 2, 3, 4}


def test_a_model_of_the_anatomy_looks_for_none(phantom, models, seen):
    result = segment(phantom[0], SegmentSettings(model="lumbar"))
    assert seen == ["lumbar"] and result.findings == ()
    assert "tumours" not in result.segmentation.provenance and WARNING not in result.segmentation.warnings
