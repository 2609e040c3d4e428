"""napari killed while it holds a learning run: the next one finds everything whole, and can go on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from learning_kit import kit

from napari_spineseg.learning.run.client import list_runs
from napari_spineseg.models import list_models
from napari_spineseg.models.versions import use_model

toy_weights, toy_store = kit.toy_weights, kit.toy_store

_KILLS, _LONGEST = 12, 12.0
_NAPARI = """
import sys
import napari
from napari_spineseg.widgets.learn.follow import run_to_resume
from napari_spineseg.widgets.learn.page import LearnPage

viewer = napari.Viewer(show=False)
page = LearnPage(viewer)
viewer.window.add_dock_widget(page)
page.store.setText(sys.argv[1])
page.advanced_form.editor("steps").setValue(20)
left = run_to_resume()
print("ready", flush=True)
page.learn() if left is None else page._resume(left)
napari.run()
"""


def killed_napari(store: Path, seconds: float) -> None:
    """A napari that learns, or goes on learning, and is killed so many seconds after it has begun to."""
    process = subprocess.Popen(
        [sys.executable, "-c", _NAPARI, str(store)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    process.kill()
    process.wait()


def nobody_works() -> None:
    """Workers leave their run when whoever started them is gone."""
    until = time.monotonic() + 300
    while any(run.folder.has_worker for run in list_runs()):
        assert time.monotonic() < until, "a worker outlived its napari"
        time.sleep(0.1)


@pytest.mark.slow
def test_napari_killed_while_it_holds_a_run(spineseg_home, toy_weights, toy_store):
    kit.put_toy(spineseg_home, toy_weights)
    use_model("toy@1")
    store, rng = toy_store(1), random.Random(_KILLS)
    for _ in range(_KILLS):
        killed_napari(store, rng.uniform(0, _LONGEST))
        kit.opens(store, "toy@1")
        nobody_works()
        kit.opens(store, "toy@1")
    runs = list_runs()
    assert runs and {run.status for run in runs} <= {"finished", "interrupted"}
    learnt = [
        e.card["training"]["run"] for e in list_models() if e.card["training"].get("kind") == "learning"
    ]
    assert len(learnt) == len(set(learnt)), "a run registered its candidate twice"
