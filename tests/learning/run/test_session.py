import numpy as np
import pytest

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.errors import SpineSegError
from napari_spineseg.learning import reading
from napari_spineseg.learning.run.events import FiguresEvent, NoteEvent, PlanEvent, PreviewEvent, StateEvent
from napari_spineseg.learning.run.orders import Left
from napari_spineseg.learning.stages import teaching
from napari_spineseg.learning.verdict import exam, gate
from napari_spineseg.models import get_model, list_models
from napari_spineseg.models.versions import use_model
from napari_spineseg.scan import Segmentation

pytestmark = pytest.mark.usefixtures("toy_guard")


def kinds(said, kind):
    return [event for event in said if isinstance(event, kind)]


def test_a_correction_becomes_a_better_model_that_is_in_use(toy_store, learn_settings, run_session):
    use_model("toy@1")
    said, verdict, folder = run_session(learn_settings(toy_store(1)))
    assert verdict.promoted, verdict.reason
    assert verdict.held_back["mean"].after > verdict.held_back["mean"].before + 0.3
    assert verdict.in_use and get_model().key == verdict.key == "toy@2"
    assert [e.phase for e in kinds(said, StateEvent)] == ["preparing", "training", "judging", "finished"]
    figures = kinds(said, FiguresEvent)
    assert figures[-1].held_back["mean"] > figures[0].held_back["mean"] + 0.2
    best = kinds(said, PreviewEvent)[0]
    assert best.after > best.before
    check_card(verdict, folder)


def check_card(verdict, folder):
    entry = get_model(verdict.key)
    card = entry.card
    assert card["parent"] == "toy@1" and card["promoted"] is True
    (row,) = card["data"]["corrections"]
    assert len(row["scan_sha256"]) == len(row["labels_sha256"]) == 64 and row["role"] == "both"
    assert set(card["figures"]["held_back"]) == {"vertebra", "disc", "spinal canal", "mean"}
    assert card["training"]["settings"]["learning_rate"] == 0.01
    assert card["training"]["code"] and card["training"]["seconds"] > 0
    # No place of the person's, nor a name of a scan.
    assert str(folder.settings.corrections) not in str(card) and "1_t2" not in str(card)
    assert load_model(entry.weights).card.sha256 == entry.sha256


def test_it_tells_the_plan_the_curves_and_shows_pictures(toy_store, learn_settings, run_session):
    said, _, _ = run_session(learn_settings(toy_store(1), steps=10))
    (plan,) = kinds(said, PlanEvent)
    assert plan.parent == "toy@1" and plan.scans[0].role == "both" and "quarter of the slices" in plan.split
    figures = kinds(said, FiguresEvent)
    assert figures[0].step == 0 and figures[0].loss is None and figures[-1].loss > 0
    assert all({"vertebra", "disc", "spinal canal", "mean"} <= set(f.guard) for f in figures)
    picture = kinds(said, PreviewEvent)[0]
    with np.load(picture.file) as arrays:
        assert {arrays[n].shape for n in ("image", "truth", "before", "after")} == {(80, 56)}


def test_pictures_are_no_larger_than_a_dock_shows_them(toy_store, learn_settings, run_session, monkeypatch):
    monkeypatch.setattr(exam, "_PREVIEW_PX", 30)
    said, _, _ = run_session(learn_settings(toy_store(1), steps=5))
    picture = kinds(said, PreviewEvent)[0]
    assert picture.spacing_mm == 3 * 2.0
    with np.load(picture.file) as arrays:
        assert {arrays[n].shape for n in ("image", "truth", "before", "after")} == {(27, 19)}


def test_what_forgets_is_not_promoted(toy_store, learn_settings, run_session, monkeypatch):
    monkeypatch.setattr(gate, "GUARD_LOSS", 0.003)
    _, verdict, _ = run_session(learn_settings(toy_store(1)))
    assert verdict.held_back["mean"].change > 0.2 and verdict.guard["mean"].change < -0.1
    assert not verdict.promoted and "on the guard scans" in verdict.reason


def test_the_same_seed_and_corrections_give_the_same_model(
    toy_store, learn_settings, run_session, monkeypatch
):
    # Named to the version, since the first run's model may come into use
    settings = learn_settings(toy_store(1), model="toy@1", steps=10)
    first, second = (run_session(settings)[1] for _ in range(2))
    assert get_model(first.key).sha256 == get_model(second.key).sha256


def test_a_run_that_was_left_goes_on_and_ends_as_if_it_had_not_been(toy_store, learn_settings, run_session):
    settings = learn_settings(toy_store(1), model="toy@1", steps=40)
    _, whole, _ = run_session(settings)
    said = []

    def leave_at_25():
        return "leave" if len(said) >= 25 else ""

    from napari_spineseg.learning.run.folder import RunFolder
    from napari_spineseg.learning.run.session import Session

    folder = RunFolder.create(settings)
    with pytest.raises(Left):
        Session(folder, said.append, leave_at_25).run()
    again, resumed, _ = run_session(settings, folder=folder)
    assert any("Going on at step" in e.sentence for e in kinds(again, NoteEvent))
    assert get_model(resumed.key).sha256 == get_model(whole.key).sha256


def test_stop_and_keep_best_goes_through_the_gate(toy_store, learn_settings, run_session):
    asked = iter([""] * 60)
    _, verdict, _ = run_session(
        learn_settings(toy_store(1), steps=2000), order=lambda: next(asked, "stop keep")
    )
    assert 0 < verdict.steps < 100
    assert get_model(verdict.key).card["training"]["steps"] == verdict.steps


def test_stop_and_discard_leaves_no_model(toy_store, learn_settings, run_session):
    asked = iter([""] * 60)
    said, verdict, _ = run_session(learn_settings(toy_store(1)), order=lambda: next(asked, "stop discard"))
    assert verdict is None and said[-1].phase == "stopped"
    assert [e.key for e in list_models() if e.name == "toy"] == ["toy@1"]


def test_it_stops_between_slices_while_it_reads_the_corrections(
    toy_store, learn_settings, run_session, monkeypatch
):
    looked, real = [], reading.Reader.classes

    def classes(self, volume, index):
        looked.append(index)
        return real(self, volume, index)

    monkeypatch.setattr(reading.Reader, "classes", classes)
    said, verdict, _ = run_session(
        learn_settings(toy_store(1)), order=lambda: "stop discard" if len(looked) >= 2 else ""
    )
    assert verdict is None and said[-1].phase == "stopped" and len(looked) == 2


def test_out_of_memory_goes_on_with_smaller_patches(toy_store, learn_settings, run_session, monkeypatch):
    sizes = []
    real = teaching.TeachingSampler.batch

    def batch(self, step):
        found = real(self, step)
        sizes.append(found.image.shape[2])
        if found.image.shape[2] > 60:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return found

    monkeypatch.setattr(teaching.TeachingSampler, "batch", batch)
    said, verdict, _ = run_session(learn_settings(toy_store(1), steps=5))
    assert verdict is not None and sizes[0] == 96 and sizes[-1] == 48
    assert any("smaller" in e.sentence or "1/2" in e.sentence for e in kinds(said, NoteEvent))


def test_a_candidate_that_is_no_better_is_kept_but_not_used(toy_store, learn_settings, run_session):
    use_model("toy@1")
    _, verdict, _ = run_session(learn_settings(toy_store(1), steps=5, learning_rate=1e-9))
    assert not verdict.promoted and not verdict.in_use
    assert "Not promoted" in verdict.reason and "0." in verdict.reason
    assert get_model(verdict.key).card["promoted"] is False
    assert get_model().key == "toy@1" and get_model("toy").key == "toy@1"


def test_a_model_that_passed_is_only_kept_where_that_was_asked(toy_store, learn_settings, run_session):
    use_model("toy@1")
    _, verdict, _ = run_session(learn_settings(toy_store(1), promote=False))
    assert verdict.promoted and not verdict.in_use and get_model().key == "toy@1"


def test_it_does_not_replace_a_model_that_is_not_its_parent(toy_store, learn_settings, run_session):
    use_model("lumbar")
    _, verdict, _ = run_session(learn_settings(toy_store(1), name="mine"))
    assert verdict.promoted and not verdict.in_use
    assert verdict.key == "mine@1" and get_model().name == "lumbar"


def test_from_four_patients_on_whole_patients_are_held_back(toy_store, learn_settings, run_session):
    said, _, _ = run_session(learn_settings(toy_store(5), steps=5))
    (plan,) = kinds(said, PlanEvent)
    assert sorted({s.role for s in plan.scans}) == ["held back", "learn"]
    assert "none of whose scans is learnt from" in plan.split


def test_what_the_parent_has_learnt_is_shown_again_and_not_judged_by(toy_store, learn_settings, run_session):
    store = toy_store(1)
    run_session(learn_settings(store, steps=5))
    toy_store(2)
    said, verdict, _ = run_session(learn_settings(store, steps=5, model="toy@2"))
    (plan,) = kinds(said, PlanEvent)
    roles = {s.scan: s.role for s in plan.scans}
    assert sorted(roles.values()) == ["both", "learn"]
    assert "earlier scans" in plan.replay and verdict.parent == "toy@2"


def test_nothing_done_says_what_to_do(toy_store, learn_settings, run_session):
    with pytest.raises(SpineSegError, match="marked as done"):
        run_session(learn_settings(toy_store(1, state="in-progress")))


def test_a_model_on_squeezed_slices_is_refused(toy_store, learn_settings, run_session, tiny_weights):
    from napari_spineseg.core.checkpoint import save_model
    from napari_spineseg.core.inputs import InputSpec

    model = load_model(tiny_weights)
    card = model.card.model_copy(update={"input": InputSpec(size_px=(64, 64))})
    save_model(model.network, card, get_model("toy").weights.parents[1] / "squeezed" / "1.safetensors")
    with pytest.raises(SpineSegError, match="cannot learn here"):
        run_session(learn_settings(toy_store(1)).model_copy(update={"model": "squeezed"}))


def poisoned(labels):
    """The labels 8 mm too low."""
    return Segmentation(np.roll(labels.labels, 4, 1), labels.affine)


def test_poison_beside_a_good_correction_is_left_out_and_said(toy, toy_store, learn_settings, run_session):
    store = toy_store(1)
    scan, labels = toy(7, "7_t2")
    kept = CorrectionsStore(store)
    kept.add_correction(scan, poisoned(labels))
    kept.find(scan).say("done")
    said, verdict, _ = run_session(learn_settings(store, steps=5))
    (plan,) = kinds(said, PlanEvent)
    roles = {s.scan: s.role for s in plan.scans}
    assert sorted(roles.values()) == ["both", "refused"]
    assert "moved" in next(s.sentence for s in plan.scans if s.role == "refused")
    assert len(get_model(verdict.key).card["data"]["corrections"]) == 1


def test_poison_alone_is_not_learnt_from(toy, tmp_path, learn_settings, run_session):
    scan, labels = toy(7)
    store = CorrectionsStore(tmp_path / "store", create=True)
    store.add_correction(scan, poisoned(labels))
    store.find(scan).say("done")
    with pytest.raises(SpineSegError, match="No correction can be learnt from"):
        run_session(learn_settings(store.path))
    assert [e.key for e in list_models() if e.name == "toy"] == ["toy@1"]
