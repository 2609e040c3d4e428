"""A run follows another style of labels, and tells it from errors."""

import numpy as np
import pytest
import torch
from style_kit import narrow

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.learning.lessons import style_search
from napari_spineseg.learning.reading import Reader
from napari_spineseg.learning.run.events import PlanEvent
from napari_spineseg.models import get_model
from napari_spineseg.scan import Segmentation

PIXEL_MM, DISC = 2.0, 2


@pytest.fixture
def styled_store(tmp_path, toy):
    """`styled_store(change)`: a store with one toy in the contrast that the parent knows, labels changed."""

    def make(change):
        store = CorrectionsStore(tmp_path / "styled", create=True)
        scan, labels = toy(0, "1_t2", known=True)
        changed = Segmentation(change(labels.labels), labels.affine, name=labels.name)
        store.add_correction(scan, changed, labels)
        store.find(scan).say("done")
        return store.path

    return make


def discs_of(key, toy, seed):
    """Pixels that a model calls disc in a toy, and those that are disc."""
    scan, labels = toy(seed, known=True)
    model = load_model(get_model(key).weights)
    from napari_spineseg.datasets.prepared import PreparedVolume, windowed

    turn = scan.grid.to_orientation()
    truth = levels_to_structures(turn.apply(labels.labels)).astype(np.uint8)
    volume = PreparedVolume("x", "x", "image", windowed(turn.apply(scan.voxels)), truth, 4.0, PIXEL_MM)
    reader = Reader(model.network, model.card.input, torch.device("cpu"), torch.float32)
    return int((reader.all_classes(volume, range(2, 7)) == DISC).sum()), int((truth[2:7] == DISC).sum())


@pytest.mark.usefixtures("toy_guard")
def test_a_run_learns_a_style_and_says_so(styled_store, toy, learn_settings, run_session):
    said, verdict, _ = run_session(learn_settings(styled_store(narrow), model="toy@1"))
    plan = next(event for event in said if isinstance(event, PlanEvent))
    assert "a style of their own" in plan.replay and "disc" in plan.replay and "smaller" in plan.replay
    assert "a style of their own" in verdict.reason
    record = get_model(verdict.key).card["training"]["style"]
    assert record["error_removed_by_labels_alone"] > 0.5 and record["sizes"]["disc"] < 0.9
    drawn, whole = discs_of(verdict.key, toy, 5)
    before, _ = discs_of("toy@1", toy, 5)
    assert before > 0.85 * whole > drawn


@pytest.mark.usefixtures("toy_guard")
def test_the_guard_does_not_judge_what_the_style_changes(
    styled_store, learn_settings, run_session, monkeypatch
):
    from napari_spineseg.learning.stages import preparing
    from napari_spineseg.learning.verdict import exam

    given = []
    real = exam.Exam.__init__

    def noted(self, book, card, parent, held, guard, control):
        given.extend(guard)
        real(self, book, card, parent, held, guard, control)

    monkeypatch.setattr(exam.Exam, "__init__", noted)
    run_session(learn_settings(styled_store(narrow), model="toy@1", steps=2))
    judged = given[0].volume.structures[given[0].slices]
    whole = preparing.guard_scans(None, None)[0].volume.structures[given[0].slices]
    assert 0 < (judged == 255).mean() < 0.2
    assert (judged == whole)[judged != 255].all() and (whole[judged == 255] > 0).mean() > 0.5


@pytest.mark.usefixtures("toy_guard")
def test_errors_of_the_parent_are_no_style(toy_store, learn_settings, run_session):
    """The toys of this store are in a contrast that the parent never saw."""
    said, verdict, _ = run_session(learn_settings(toy_store(1), steps=2))
    plan = next(event for event in said if isinstance(event, PlanEvent))
    assert "style" not in plan.replay and "style" not in get_model(verdict.key).card["training"]


@pytest.mark.usefixtures("toy_guard")
@pytest.mark.parametrize("limit", ["LEAST_GUARDED", "MOST_RENAMED"])
def test_a_style_that_would_blind_the_guard_or_rename_structures_is_none(
    limit, styled_store, learn_settings, run_session, monkeypatch
):
    monkeypatch.setattr(style_search, limit, {"LEAST_GUARDED": 1.0, "MOST_RENAMED": -1.0}[limit])
    said, _, _ = run_session(learn_settings(styled_store(narrow), model="toy@1", steps=2))
    plan = next(event for event in said if isinstance(event, PlanEvent))
    assert "style" not in plan.replay
