"""The training process: from job to verdict, queues, orders, and what is left when it is killed."""

import json
import os
import random
import subprocess
import sys
import time

import pytest

from napari_spineseg.errors import SpineSegError
from napari_spineseg.learning.run.client import LearningRun, interrupted_runs, living_runs, open_run
from napari_spineseg.learning.run.events import FiguresEvent, ProgressEvent, VerdictEvent, read_event
from napari_spineseg.learning.run.folder import RunFolder, device_lock
from napari_spineseg.models import list_models
from napari_spineseg.models.registry import home
from napari_spineseg.models.versions import use_model

SECONDS = 240


def wait_for(condition, seconds=SECONDS):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def test_lines_on_stdout_are_those_in_the_folder(toy_store, learn_settings):
    folder = RunFolder.create(learn_settings(toy_store(1), steps=5))
    words = [sys.executable, "-m", "napari_spineseg.learning.run.worker", str(folder.job_file), "--outlives"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == [event.kind for event in folder.events()[0]]
    assert all(read_event(json.dumps(line)) is not None for line in lines)
    assert not (folder.path / "prepared").exists() and not (folder.path / "train").exists()


def test_a_client_follows_a_run_to_its_verdict_and_another_reads_the_same(toy_store, learn_settings):
    run = LearningRun.start(learn_settings(toy_store(1), steps=10))
    events = list(run.follow())
    assert isinstance(run.verdict, VerdictEvent) and run.status == "finished"
    assert any(isinstance(e, FiguresEvent) for e in events)
    assert any(isinstance(e, ProgressEvent) and e.seconds_left is not None for e in events)
    assert [e.kind for e in open_run(run.id).new_events()] == [e.kind for e in events]
    assert not living_runs() and not interrupted_runs()


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="Windows has no niceness")
def test_training_gives_way_to_the_window_and_does_not_starve(toy_store, learn_settings):
    """At 15 a run beside two busy programs was minutes getting ready."""
    run = LearningRun.start(learn_settings(toy_store(1), steps=500))
    wait_for(lambda: any(e.kind == "plan" for e in run.folder.events()[0]))
    niceness = os.getpriority(os.PRIO_PROCESS, run.pid) - os.getpriority(os.PRIO_PROCESS, 0)
    run.stop("discard")
    assert 1 <= niceness <= 10
    assert run.wait(SECONDS) == "stopped"


def test_a_second_run_waits_for_the_device_and_can_be_stopped_meanwhile(toy_store, learn_settings):
    run = None
    with device_lock("cpu"):
        run = LearningRun.start(learn_settings(toy_store(1)))
        wait_for(lambda: run.status == "queued")
        run.stop("discard")
        assert run.wait(SECONDS) == "stopped"
    assert run.verdict is None and len(list_models()) == len({e.key for e in list_models()})


def test_a_run_that_may_not_outlive_its_starter_is_left_and_can_be_resumed(toy_store, learn_settings):
    run = LearningRun.start(learn_settings(toy_store(1), steps=400))
    wait_for(lambda: run.status == "training")
    run._process.stdin.close()
    assert run._process.wait(SECONDS) == 3
    assert run.status == "interrupted"
    again = open_run(run.id)
    again.resume()
    wait_for(lambda: again.status == "training")
    again.stop("keep")
    assert again.wait(SECONDS) == "finished" and again.verdict is not None


def test_a_run_is_ended_at_once_by_one_who_did_not_start_it(toy_store, learn_settings):
    with device_lock("cpu"):
        run = LearningRun.start(learn_settings(toy_store(1)), outlives=True)
        wait_for(lambda: run.status == "queued")
        open_run(run.id).end_at_once()
        assert run.wait(SECONDS) == "interrupted"
    run._process.wait(SECONDS)


def test_nothing_to_learn_from_fails_with_one_sentence(toy_store, learn_settings):
    run = LearningRun.start(learn_settings(toy_store(1, state="excluded")))
    assert run.wait(SECONDS) == "failed"
    assert "marked as done" in run.error.sentence and not run.error.bug
    with pytest.raises(SpineSegError, match="nothing to resume"):
        run.resume()


# Any moment of a run, and of those that matter: moments are drawn from these, by name.
MOMENTS = ("any", "registering", "training", "judging", "any")


def kill_at_random(run: LearningRun, moment: str, wait: float) -> None:
    """Kill the worker at a share `wait` (0..1) of the time that its moment lasts, or when it is done."""
    versions = home() / "models" / "toy"
    before = len(list(versions.iterdir()))
    reached = {
        "any": lambda: True,
        "training": lambda: run.status in ("training", "judging"),
        "judging": lambda: run.status == "judging",
        "registering": lambda: len(list(versions.iterdir())) > before,
    }[moment]
    while run.pid is not None and not reached():
        time.sleep(0.005)
    time.sleep(wait * {"any": 8, "training": 2, "judging": 2, "registering": 0.03}[moment])
    if run.pid is not None:
        run._process.kill()
        run._process.wait()


def killed_again_and_again(store, settings, kills: int, everything_opens) -> None:
    use_model("toy@1")
    rng = random.Random(kills)
    run = LearningRun.start(settings)
    for number in range(kills):
        kill_at_random(run, MOMENTS[number % len(MOMENTS)], rng.random())
        everything_opens(store, "toy@1")
        run = LearningRun(run.folder)
        if run.status == "interrupted":
            run.resume()
        else:
            use_model("toy@1")
            run = LearningRun.start(settings)
    assert run.wait(SECONDS) == "finished"
    everything_opens(store, "toy@1")
    names = [e.card["training"]["run"] for e in list_models() if e.card["training"].get("kind") == "learning"]
    assert names and len(names) == len(set(names)), "a run registered its candidate twice"


def test_killed_at_random_moments_nothing_is_half_written(toy_store, learn_settings, everything_opens):
    store = toy_store(1)
    killed_again_and_again(store, learn_settings(store, steps=5), 2, everything_opens)


@pytest.mark.slow
def test_killed_a_hundred_times_nothing_is_half_written(toy_store, learn_settings, everything_opens):
    store = toy_store(1)
    killed_again_and_again(store, learn_settings(store, steps=10), 100, everything_opens)
