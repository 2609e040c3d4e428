"""The Learn page with real clicks, around real runs of a toy model in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gui_kit import add_scan, click, clipped
from learning_kit import kit
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.learning.run.client import LearningRun, living_runs
from napari_spineseg.learning.run.events import (
    Change,
    FiguresEvent,
    PlanEvent,
    PreviewEvent,
    ProgressEvent,
    ScanPlan,
    StateEvent,
    VerdictEvent,
)
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models import get_model, list_models
from napari_spineseg.models.versions import add_version, use_model
from napari_spineseg.widgets.learn.curves import LearnCurves
from napari_spineseg.widgets.learn.page import LearnPage

toy_weights, toy_store = kit.toy_weights, kit.toy_store

PATIENCE_MS = 240_000


@pytest.fixture
def toy(spineseg_home, toy_weights) -> str:
    """The toy model, in use in an empty home."""
    kit.put_toy(spineseg_home, toy_weights)
    use_model("toy")
    return "toy@1"


@pytest.fixture
def open_page(model, qtbot):
    """`open_page(store)`: the Learn page on its own, on that store."""
    opened = []

    def make(store: Path | None = None) -> LearnPage:
        page = LearnPage(model)
        qtbot.addWidget(page)
        if store is not None:
            page.store.setText(str(store))
        page.resize(320, 1100)
        page.show()
        qtbot.waitUntil(page.isVisible)
        qtbot.wait(100)  # until everything has its place: a click goes to where a button is
        opened.append(page)
        return page

    yield make
    for page in opened:
        if page.run is not None:
            page.run.stop("discard")
            page.run.wait(60)


def say(run: LearningRun, *events) -> None:
    for event in events:
        run.folder.say(event)


def a_run(store: Path) -> LearningRun:
    """A run that nobody works on: a test says what it would say."""
    return LearningRun(RunFolder.create(LearnSettings(corrections=store, model="toy")))


def verdict(promoted: bool, key: str = "toy@2") -> VerdictEvent:
    changes = {
        "vertebra": Change(before=0.7, after=0.9, change=0.2, low=0.1, high=0.3),
        "mean": Change(before=0.7, after=0.9, change=0.2, low=0.1, high=0.3),
    }
    lost = {"disc": Change(before=0.95, after=0.9, change=-0.05, low=-0.07, high=-0.03)}
    return VerdictEvent(
        promoted=promoted,
        in_use=promoted,
        key=key,
        parent="toy@1",
        reason="Because of the figures.",
        held_back=changes,
        guard=lost,
        steps=5,
        seconds=3.2,
    )


class Stalls:
    """How long the event loop was held up: on the clock, and by work of its own thread."""

    def __init__(self) -> None:
        self.clock = self.work = 0.0
        self._last = (time.perf_counter(), time.thread_time())
        self._timer = QTimer(interval=5)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = (time.perf_counter(), time.thread_time())
        self.clock = max(self.clock, now[0] - self._last[0])
        self.work = max(self.work, now[1] - self._last[1])
        self._last = now

    def stop(self) -> None:
        self._timer.stop()


def test_from_corrections_to_a_version_in_use(toy, toy_store, open_page, model, qtbot):
    page = open_page(toy_store(1))
    assert page.outlook_words.words == "1 corrected scan to learn from."
    assert page.scans.words.startswith("1_t2: done")
    scan, _ = kit.make_toy(50)
    scan_layer = add_scan(model, scan)
    page.advanced_form.editor("steps").setValue(6)
    stalls = Stalls()
    click(qtbot, page.run_bar.button)
    assert not page.run_bar.isVisible() and page.running.isVisible()
    qtbot.waitUntil(lambda: page.run is None, timeout=PATIENCE_MS)
    stalls.stop()
    print(
        f"longest stall: {stalls.clock * 1000:.0f} ms on the clock, {stalls.work * 1000:.0f} ms of own work"
    )
    # The promise, 50 ms on two free cores, is measured by `benchmarks.learning_window`. Tests run on slower
    # and busier machines: twice that in work of its own means that something waits which should not.
    assert stalls.work <= 0.1
    verdict = page.verdict.of
    assert verdict is not None and verdict.key == "toy@2" and verdict.reason == page.card.remark.words
    assert page.curves.points("loss") and page.curves.points("guard (mean)")
    assert "Held back" in page.plan.words or "held back" in page.plan.words
    assert page.pictures.count() >= 1 and "vertebra" in page.verdict.figures.words
    if not verdict.in_use:
        assert "lower" in page.verdict.cost.words
        click(qtbot, page.verdict.anyway)
    assert get_model().key == "toy@2"
    click(qtbot, page.verdict.again.bar.button)
    with qtbot.waitSignal(page.verdict.again.ended):
        pass
    result = next(s for s in page.session.segmentations() if page.session.scan_of(s) is scan_layer)
    assert result.metadata["spineseg"]["provenance"]["model"]["version"] == "2"
    page.versions.choose("toy@1")
    click(qtbot, page.versions.buttons["rollback"])
    assert get_model().key == "toy@1"


@pytest.mark.slow
def test_stop_and_discard_keeps_nothing(toy, toy_store, open_page, qtbot):
    page = open_page(toy_store(1))
    page.advanced_form.editor("steps").setValue(5000)
    before = len(list_models())
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(lambda: "Getting ready" not in page.running.words.words, timeout=PATIENCE_MS)
    click(qtbot, page.running.discard)
    assert not page.running.keep.isEnabled()
    qtbot.waitUntil(lambda: page.run is None, timeout=PATIENCE_MS)
    assert page.run_bar.isVisible() and page.card.headline.words == "Stopped"
    assert len(list_models()) == before and not living_runs()


def test_without_corrections_it_says_what_to_do(toy, tmp_path, open_page, toy_store):
    page = open_page(tmp_path / "nothing")
    assert "Nothing was corrected yet" in page.outlook_words.words and not page.run_bar.button.isEnabled()
    other = open_page(toy_store(1, "in-progress"))
    assert "marked as done" in other.outlook_words.words and not other.run_bar.button.isEnabled()


def test_a_version_that_reaches_the_disk_later_is_noticed(toy, toy_store, open_page):
    """Whoever saves and goes straight on to Learn comes before the disk is done."""
    store = toy_store(1, "in-progress")
    page = open_page(store)
    assert not page.run_bar.button.isEnabled()
    CorrectionsStore(store).entries()[0].say("done")
    page.session.corrections_changed.emit()
    assert page.run_bar.button.isEnabled()


def test_settings_are_said_in_words(toy, open_page):
    page = open_page()
    assert page.advanced_form.editor("steps").text() == "As needed"
    assert page.advanced_form.editor("device").currentText() == "Automatic"


def test_a_run_is_told_in_curves_pictures_and_words(toy, toy_store, open_page, qtbot):
    run = a_run(toy_store(1))
    page = open_page()
    page._follow(run)
    picture = {name: np.zeros((20, 16), np.uint8) for name in ("image", "truth", "before", "after")}
    np.savez(run.folder.path / "preview-1.npz", **picture)
    refused = ScanPlan(scan="bad", sha256="0", version=1, role="refused", sentence="It is empty.")
    learnt = ScanPlan(scan="good", sha256="1", version=1, role="both")
    plan = PlanEvent(
        parent="toy@1",
        name="toy",
        steps=9,
        scans=[learnt, refused],
        split="A quarter of the slices.",
        replay="",
    )
    say(
        run,
        StateEvent(phase="training", sentence="Training."),
        plan,
        ProgressEvent(stage="Training", done=3, total=9, seconds_left=70),
        FiguresEvent(step=0, steps=9, held_back={"vertebra": 0.5, "mean": 0.5}, guard={"mean": 0.9}),
        FiguresEvent(
            step=3, steps=9, loss=0.4, held_back={"vertebra": 0.6, "mean": 0.6}, guard={"mean": 0.91}
        ),
        PreviewEvent(scan="good", slice=4, file="preview-1.npz", spacing_mm=1.0, before=0.5, after=0.6),
    )
    qtbot.waitUntil(lambda: page.pictures.count() == 1)
    assert page.running.words.words == "Training: 3 of 9 · about 1 min 10 s left"
    assert page.running.bar.value() == 3 and page.running.bar.maximum() == 9
    assert "learns from good" in page.plan.words and "bad is not learnt from. It is empty." in page.plan.words
    assert page.curves.points("vertebra") == [(0, 0.5), (3, 0.6)] and page.curves.points("loss") == [(3, 0.4)]
    assert page.curves.points("guard (mean)") == [(0, 0.9), (3, 0.91)]
    say(run, StateEvent(phase="finished"))
    qtbot.waitUntil(lambda: page.run is None)


def test_the_gate_says_no_and_overruling_has_its_price(toy, toy_weights, toy_store, open_page, qtbot):
    add_version("toy", toy_weights, {"promoted": False, "parent": "toy@1"})
    run = a_run(toy_store(1))
    page = open_page()
    page._follow(run)
    say(run, verdict(False), StateEvent(phase="finished"))
    qtbot.waitUntil(lambda: page.run is None)
    assert page.card.headline.words == "Not promoted" and page.card.remark.words == "Because of the figures."
    assert page.verdict.cost.words.startswith("It scores lower than its parent: ")
    assert "disc -0.050 Dice on the guard scans" in page.verdict.cost.words
    page.versions.choose("toy@2")
    assert page.versions.words.words.startswith("toy@2 did not pass the gate. It scores ")
    assert "vertebra: 0.700 → 0.900\n    +0.200 (+0.100 to +0.300)" in page.verdict.figures.words
    assert get_model().key == "toy@1"
    click(qtbot, page.verdict.anyway)
    assert get_model().key == "toy@2" and not page.verdict.anyway.isVisible()
    assert page.verdict.cost.words == "toy@2 is used now; Roll back returns to the one before."
    click(qtbot, page.versions.buttons["rollback"])
    assert (
        get_model().key == "toy@1" and page.verdict.anyway.isVisible() and "lower" in page.verdict.cost.words
    )


def test_a_run_that_goes_on_without_the_window_is_said_to(toy, toy_store, open_page, monkeypatch, qtbot):
    run = a_run(toy_store(1))
    say(run, StateEvent(phase="training"))
    monkeypatch.setattr("napari_spineseg.widgets.learn.page.run_to_attach", lambda: run)
    page = open_page()
    # Found again: unticked, the box would say that closing the window stops it.
    assert page.outlives.isChecked() and not page.outlives.isEnabled()
    say(run, StateEvent(phase="stopped"))
    qtbot.waitUntil(page.outlives.isEnabled)


def test_an_interrupted_run_is_offered_and_can_be_dropped(toy, toy_store, open_page, qtbot):
    run = a_run(toy_store(1))
    say(run, StateEvent(phase="training"))
    page = open_page()
    assert page.running.resume.isVisible() and page.run_bar.isVisible()
    click(qtbot, page.running.drop)
    assert not page.running.isVisible() and run.status == "stopped"


@pytest.mark.parametrize("how", ["keep", "discard"])
def test_a_run_that_takes_long_to_stop_can_be_ended_at_once(
    toy, toy_store, open_page, qtbot, monkeypatch, how
):
    """On a busy machine a step takes minutes, and the page said nothing but that it was stopping."""
    monkeypatch.setattr("napari_spineseg.widgets.learn.running.PATIENCE_MS", 100)
    page, run = open_page(), a_run(toy_store(1))
    run._process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    run._started_at = time.monotonic()
    say(run, StateEvent(phase="training"))
    page._follow(run)
    assert not page.running.at_once.isVisible()
    click(qtbot, page.running.keep if how == "keep" else page.running.discard)
    qtbot.waitUntil(page.running.at_once.isVisible)
    assert "busy" in page.running.words.words
    qtbot.wait(50)
    click(qtbot, page.running.at_once)
    qtbot.waitUntil(lambda: page.run is None)
    run._process.wait(60)
    if how == "keep":
        assert page.running.resume.isVisible() and run.status == "interrupted"
    else:
        assert not page.running.isVisible() and page.card.headline.words == "Stopped"


def test_a_scan_that_is_opened_after_the_verdict_can_be_segmented_anew(
    toy, toy_weights, toy_store, open_page, model, qtbot
):
    add_version("toy", toy_weights, {"parent": "toy@1"})
    page, run = open_page(), a_run(toy_store(1))
    page._follow(run)
    say(run, verdict(True), StateEvent(phase="finished"))
    qtbot.waitUntil(lambda: page.run is None)
    assert not page.verdict.again.bar.isVisible()
    layer = add_scan(model)
    assert page.verdict.again.bar.isVisible()
    model.layers.remove(layer)
    assert not page.verdict.again.bar.isVisible()


def test_a_verdict_comes_into_sight(toy, toy_weights, toy_store, open_page, qtbot):
    """The curves stand above it: whoever waited saw the button come back, and nothing else."""
    add_version("toy", toy_weights, {"promoted": False, "parent": "toy@1"})
    page, run = open_page(), a_run(toy_store(1))
    page.resize(320, 420)
    page._follow(run)
    figures = FiguresEvent(step=5, steps=5, loss=0.4, held_back={"vertebra": 0.6})
    say(run, figures, verdict(False), StateEvent(phase="finished"))
    qtbot.waitUntil(lambda: page.run is None)
    qtbot.waitUntil(lambda: not page.card.headline.visibleRegion().isEmpty())


def test_a_run_that_was_stopped_while_it_waited_says_so(toy, toy_store, open_page, qtbot):
    page, run = open_page(), a_run(toy_store(1))
    page._follow(run)
    say(run, StateEvent(phase="stopped", sentence="Stopped before training began; no model was made."))
    qtbot.waitUntil(lambda: page.run is None)
    assert "before training began" in page.card.remark.words


def test_a_run_that_ended_while_napari_was_closed_is_told_once(toy, toy_weights, toy_store, open_page, qtbot):
    """It was let go on; whoever came back found another version in the list, and no verdict."""
    add_version("toy", toy_weights, {"promoted": False, "parent": "toy@1"})
    say(a_run(toy_store(1)), verdict(False), StateEvent(phase="finished"))
    page = open_page()
    qtbot.waitUntil(lambda: page.run is None)
    assert page.card.headline.words == "Not promoted" and page.verdict.anyway.isVisible()
    assert open_page().run is None


def test_an_interrupted_run_is_offered_again_after_another(toy, toy_store, open_page, qtbot):
    left, other = (a_run(store) for store in [toy_store(1)] * 2)
    say(left, StateEvent(phase="training"))
    page = open_page()
    page._follow(other)
    say(other, StateEvent(phase="stopped", sentence="Stopped."))
    qtbot.waitUntil(lambda: page.run is None)
    assert page.running.resume.isVisible()


def test_an_export_gets_the_ending_that_import_looks_for(toy, open_page, qtbot):
    panel = open_page().versions
    panel.choose("toy@1")
    click(qtbot, panel.buttons["export"])
    (dialog,) = panel.findChildren(QFileDialog)
    assert dialog.defaultSuffix() == "zip"
    dialog.reject()


def test_versions_are_used_moved_and_compared(toy, toy_weights, tmp_path, open_page, model, qtbot):
    add_version("toy", toy_weights, {"parent": "toy@1"})
    scan, _ = kit.make_toy(3, known=True)
    scan_layer = add_scan(model, scan)
    older = model.add_labels(np.ones(scan_layer.data.shape, int), scale=scan_layer.scale)
    page = open_page()
    page.session.link(older, scan_layer)
    panel = page.versions
    panel.choose("toy@2")
    click(qtbot, panel.buttons["compare"])
    qtbot.waitUntil(lambda: not panel.words.words.startswith("Comparing"))
    assert panel.words.words == "toy@1 and toy@2 say the same."
    (difference,) = (layer for layer in model.layers if "difference" in layer.name)
    assert difference.visible and not older.visible  # among its colours the difference is not seen
    assert list(model.layers).index(difference) == list(model.layers).index(scan_layer) + 1
    panel.export_to(tmp_path / "toy.zip")
    panel.import_from(tmp_path / "toy.zip")
    assert {entry.key for entry in list_models()} >= {"toy@1", "toy@2", "toy@3"}
    assert panel.words.words == "toy.zip was added as toy@3."
    panel.choose("toy@3")
    click(qtbot, panel.buttons["use"])
    assert get_model().key == "toy@3" and "in use" in panel.list.currentItem().text()
    panel.import_from(tmp_path / "nowhere.zip")
    assert "nowhere.zip" in panel.words.words


def test_a_difference_of_a_scan_that_was_closed_lies_on_no_other(toy, toy_weights, open_page, model, qtbot):
    add_version("toy", toy_weights, {"parent": "toy@1"})
    first, other = (add_scan(model, kit.make_toy(seed, known=True)[0]) for seed in (3, 4))
    panel = open_page().versions
    model.layers.selection.active = first
    panel.choose("toy@2")
    click(qtbot, panel.buttons["compare"])
    model.layers.remove(first)
    qtbot.waitUntil(lambda: "say the same" in panel.words.words)
    assert list(model.layers) == [other]


def test_comparing_can_be_stopped(toy, toy_weights, open_page, model, monkeypatch, qtbot):
    add_version("toy", toy_weights, {"parent": "toy@1"})
    add_scan(model, kit.make_toy(3, known=True)[0])

    def endless(scan, first, second, control):
        while True:
            control.step("Segmenting", 1, 9)
            time.sleep(0.02)

    monkeypatch.setattr("napari_spineseg.learning.verdict.compare.compare_models", endless)
    panel = open_page().versions
    panel.choose("toy@2")
    button = panel.buttons["compare"]
    click(qtbot, button)
    qtbot.waitUntil(lambda: panel.words.words.endswith("Segmenting, 1 of 9"))
    panel.refresh()  # a model was added meanwhile
    assert button.text() == "Stop" and button.isEnabled() and "1 of 9" in panel.words.words
    click(qtbot, button)
    qtbot.waitUntil(lambda: panel.words.words == "Stopped; nothing was compared.")
    qtbot.waitUntil(lambda: button.text() == "Compare" and button.isEnabled())
    assert not [layer for layer in model.layers if "difference" in layer.name]


def test_the_form_has_the_commands_settings_and_says_what_an_empty_name_means(toy, open_page):
    page = open_page()
    defaults = LearnSettings(model="toy")
    for name in ("batch", "learning_rate", "steps"):
        assert page.advanced_form.values()[name] == getattr(defaults, name)
    assert page.main_form.editor("name").placeholderText() == "next version of the model"


def test_a_long_path_is_seen_by_its_end(toy, open_page, tmp_path):
    page = open_page(tmp_path / "a-folder-with-quite-a-long-name" / "corrections")
    assert page.store.cursorPosition() == len(page.store.text())
    assert "quite-a-long-name" in page.store.toolTip()


def test_there_is_nothing_to_roll_back_to_until_another_model_was_used(
    spineseg_home, toy_weights, open_page, qtbot
):
    kit.put_toy(spineseg_home, toy_weights)
    bundled, panel = get_model().key, open_page().versions
    assert not panel.buttons["rollback"].isEnabled()
    panel.choose("toy@1")
    click(qtbot, panel.buttons["use"])
    assert panel.buttons["rollback"].isEnabled() and bundled in panel.buttons["rollback"].toolTip()
    click(qtbot, panel.buttons["rollback"])
    assert panel.words.words == f"{bundled} is used again."
    assert get_model().key == bundled and not panel.buttons["rollback"].isEnabled()


def test_curves_keep_their_contrast_when_the_theme_changes(qtbot):
    curves = LearnCurves("dark")
    qtbot.addWidget(curves)
    curves.add(FiguresEvent(step=1, steps=2, loss=0.5, held_back={"vertebra": 0.5}, guard={"mean": 0.9}))
    qtbot.waitUntil(lambda: "guard (mean)" in curves._lines)
    vertebra = pen_of(curves, "vertebra")
    for theme, bright in (("dark", True), ("light", False)):
        curves.restyle(theme)
        assert (pen_of(curves, "loss").lightness() > 128) is bright
        assert (pen_of(curves, "guard (mean)").lightness() > 128) is bright
        assert pen_of(curves, "vertebra") == vertebra


def test_curves_begin_at_step_0_and_a_name_stays_with_its_mark(qtbot):
    curves = LearnCurves("dark")
    qtbot.addWidget(curves)
    curves.add(FiguresEvent(step=20, steps=40, loss=0.4, guard={"mean": 0.9}))
    qtbot.waitUntil(lambda: "loss" in curves._lines)
    curves.loss.getViewBox().updateAutoRange()
    assert curves.loss.viewRange()[0][0] >= 0
    assert curves.legend.text().endswith("╌&nbsp;guard&nbsp;(mean)")


def test_a_difference_says_what_its_colours_mean(toy, toy_weights, open_page, model, qtbot):
    from napari_spineseg.learning.verdict.compare import Comparison
    from napari_spineseg.scan import Segmentation

    scan, labels = kit.make_toy(3, known=True)
    layer = add_scan(model, scan)
    changed = Segmentation((labels.labels > 0).astype(np.uint16) * 5, scan.affine, scheme="structures")
    found = Comparison((get_model("toy"), get_model("toy")), (labels, labels), changed, {}, {})
    panel = open_page().versions
    panel._on_compared(found, layer)
    assert panel.words.words.endswith("what toy@1 says instead; red-orange where it sees nothing.")


def test_a_turn_of_the_event_loop_draws_one_curve(qtbot):
    curves = LearnCurves("dark")
    qtbot.addWidget(curves)
    held = {"vertebra": 0.5, "disc": 0.4, "spinal canal": 0.6}
    curves.add(FiguresEvent(step=1, steps=2, loss=0.5, held_back=held, guard={"mean": 0.9}))
    drawn = [len(curves._lines)]
    while drawn[-1] < 5 and len(drawn) < 100:
        QApplication.processEvents()
        drawn.append(len(curves._lines))
    assert drawn[0] == 0 and drawn[-1] == 5 and max(np.diff(drawn)) == 1
    curves.add(FiguresEvent(step=2, steps=2, held_back={"vertebra": 0.7}))
    qtbot.waitUntil(lambda: list(curves._lines["vertebra"].getData()[1]) == [0.5, 0.7])
    curves.add(FiguresEvent(step=2, steps=2, loss=0.3))
    curves.clear()
    qtbot.wait(20)
    assert not curves._lines


def pen_of(curves: LearnCurves, name: str):
    return curves._lines[name].opts["pen"].color()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_in_a_narrow_dock(toy, toy_store, open_page, model, qtbot, theme):
    model.theme = theme
    store = toy_store(2)
    CorrectionsStore(store)
    run = a_run(store)
    page = open_page(store)
    page._follow(run)
    qtbot.wait(50)
    assert clipped(page) == []
    say(run, verdict(False), StateEvent(phase="finished"))
    qtbot.waitUntil(lambda: page.run is None)
    qtbot.wait(50)
    assert clipped(page) == []
