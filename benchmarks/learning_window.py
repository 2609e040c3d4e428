"""From the click on *Learn* to the verdict, in a real window: how long it takes, how long the window stalls.

    scripts/with-display python -m benchmarks.learning_window PREPARED --work DIR [--kind KIND] [--seed N]

One scan of PREPARED/train, made a scan of `--kind` (see `learning_kinds`), with its reference as the
correction. The bundled model learns from it in its own process, as it does for a person; a timer in the
window's event loop ticks every 5 ms meanwhile. Prints one JSON object: seconds from click to verdict, whether
it was promoted, and of the gaps between ticks the longest and the 99.9th percentile, once on the clock and
once of the processor time that the window's own thread used in them. On a machine that is busy with other
things the clock says how long the others kept the processor; the thread's own time does not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np

from benchmarks.learning_kinds import KINDS, thinned

SECONDS = 900


def main() -> None:
    """Measure one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kind", choices=list(KINDS), default="low field")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    home = words.work / "home-window"
    shutil.rmtree(home, ignore_errors=True)
    os.environ["SPINESEG_HOME"] = str(home)
    scan = fill(home, words.prepared, words.kind, words.seed)
    print(json.dumps({"kind": words.kind, "seed": words.seed} | measure(home / "corrections", scan)))


def fill(home: Path, prepared: Path, kind: str, seed: int):
    """Put one corrected scan into the store of `home`; returns the scan."""
    from benchmarks.learning_efficiency import add
    from benchmarks.learning_runs import reader_of
    from napari_spineseg.corrections.store import CorrectionsStore
    from napari_spineseg.datasets.prepared import load_prepared
    from napari_spineseg.models import get_model

    volumes = load_prepared(prepared / "train")
    picked = np.random.default_rng(seed).permutation(len(volumes))[0]
    store = CorrectionsStore(home / "corrections", create=True)
    reader = reader_of(get_model("lumbar").weights)
    return add(store, KINDS[kind](thinned(volumes[picked]), seed), reader)


def measure(store: Path, scan) -> dict:
    """Click *Learn*, wait for the verdict."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    from napari_spineseg.widgets.learn.page import LearnPage

    viewer = napari.Viewer(show=False, show_welcome_screen=False)
    page = LearnPage(viewer)
    viewer.window.add_dock_widget(page)
    viewer.window.show()
    viewer.add_image(scan.voxels, name=scan.name)
    page.store.setText(str(store))
    page.look()
    for _ in range(200):
        QApplication.processEvents()
        time.sleep(0.005)
    ticks: list[tuple[float, float]] = []
    timer = QTimer(interval=5)
    timer.timeout.connect(lambda: ticks.append((time.perf_counter(), time.thread_time())))
    started = time.perf_counter()
    timer.start()
    page.run_bar.button.click()
    while page.run is not None and time.perf_counter() - started < SECONDS:
        QApplication.processEvents()
        time.sleep(0.001)
    seconds = time.perf_counter() - started
    timer.stop()
    verdict = page.verdict.of
    found = {
        "seconds": round(seconds, 1),
        "promoted": verdict is not None and verdict.promoted,
        "reason": verdict.reason if verdict else page.card.remark.words,
        "ticks": len(ticks),
    }
    viewer.close()
    return found | gaps_between(ticks)


def gaps_between(ticks: list[tuple[float, float]]) -> dict[str, dict[str, float]]:
    """Gaps in ms, on the clock and of the thread's own time, from (clock, own) seconds of each tick."""
    gaps = np.diff(np.array(ticks), axis=0) * 1000
    return {
        name: {
            "longest": round(float(gaps[:, column].max()), 1),
            "99.9 %": round(float(np.percentile(gaps[:, column], 99.9)), 1),
        }
        for column, name in enumerate(("clock_ms", "own_ms"))
    }


if __name__ == "__main__":
    main()
