"""`kill -9` at random moments while somebody draws and saves: nothing but the last moments is lost."""

from __future__ import annotations

import importlib
import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from napari_spineseg.corrections.store import CorrectionsStore

SAFE_AFTER_S = 5.0


@pytest.fixture(scope="module")
def scene():
    """The module of the drawing process, importable there too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("drawing_process")


@pytest.fixture(scope="module")
def context(scene):
    """Starts processes that have imported everything already, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["drawing_process"])
    return context


class Drawing:
    """A drawing process, and when it made which edit."""

    def __init__(self, context, scene, store: Path, edits: int, seed: int) -> None:
        self._pipe, theirs = context.Pipe(duplex=False)
        self.process = context.Process(target=scene.draw, args=(store, edits, seed, theirs))
        self.process.start()
        theirs.close()
        self.made: dict[int, float] = {}
        self.ready, self.finished = threading.Event(), False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while True:
                said = self._pipe.recv()
                if said == "ready":
                    self.ready.set()
                elif said == "finished":
                    self.finished = True
                else:
                    self.made[said[0]] = said[1]
        except (EOFError, OSError):
            return  # it is dead, maybe in the middle of a message

    def join(self) -> None:
        """Wait until it ends."""
        self.process.join()
        self._reader.join()

    def kill(self) -> float:
        """Kill it as `kill -9` does. Returns when."""
        when = time.monotonic()
        self.process.kill()
        self.join()
        return when


def check(scene, store: Path, made: dict[int, float], killed: float) -> np.ndarray:
    """The store opens, all versions are whole, and whatever was old enough is there. Returns what is."""
    entry = CorrectionsStore(store).find(scene.the_scan())
    assert CorrectionsStore(store).damaged() == []
    numbers = [version.number for version in entry.versions]
    assert numbers == list(range(1, len(numbers) + 1))
    for version in entry.versions:
        version.load()
    labels = scene.restored(entry)
    expected = np.zeros_like(labels)
    for number, when in made.items():
        here = labels[scene.cell(number)]
        if killed - when > SAFE_AFTER_S:
            assert (here == number + 1).all(), f"edit {number}, {killed - when:.2f} s old, is lost"
        assert set(np.unique(here)) <= {0, number + 1}
        expected[scene.cell(number)] = here
    assert np.array_equal(labels, expected)  # and nothing that nobody drew
    return labels


def draw_and_kill(
    context, scene, store: Path, kills: int, edits: int, seed: int, wait: tuple[float, float]
) -> dict[str, float]:
    """Kill and restart until `kills` are reached; the edits go on where what was restored ends."""
    rng = np.random.default_rng(seed)
    made: dict[int, float] = {}
    oldest_lost = 0.0
    for attempt in range(kills):
        drawing = Drawing(context, scene, store, edits, seed + attempt)
        if rng.random() < 0.8:
            assert drawing.ready.wait(60)
        time.sleep(rng.uniform(*wait))
        killed = drawing.kill()
        made |= drawing.made
        if not (store / "scans").exists() or CorrectionsStore(store).find(scene.the_scan()) is None:
            assert not made
            continue
        labels = check(scene, store, made, killed)
        lost = [n for n in made if not (labels[scene.cell(n)] == n + 1).all()]
        oldest_lost = max([oldest_lost, *(killed - made[n] for n in lost)])
        # The next process starts from what was found: what is lost is drawn anew.
        made = {n: when for n, when in made.items() if n not in lost and n < labels.max()}
        if labels.max() >= edits:
            break
    return {"edits": len(made), "oldest_lost": oldest_lost}


def test_twenty_kills(context, scene, tmp_path):
    figures = draw_and_kill(context, scene, tmp_path / "store", kills=20, edits=399, seed=6, wait=(0.0, 0.5))
    assert figures["edits"] > 20


@pytest.mark.slow
def test_two_hundred_edits_with_a_kill_every_few(context, scene, tmp_path):
    figures = draw_and_kill(context, scene, tmp_path / "store", kills=200, edits=200, seed=7, wait=(0.0, 0.4))
    assert figures["edits"] == 200


def test_a_store_that_is_torn_anywhere_still_opens(context, scene, tmp_path):
    """Whatever file of a live store a crash leaves empty or short, the rest is there."""
    store = tmp_path / "store"
    drawing = Drawing(context, scene, store, 60, seed=1)
    drawing.join()
    assert drawing.finished
    entry = CorrectionsStore(store).find(scene.the_scan())
    for journal in (entry.folder / "journals").iterdir():
        journal.write_bytes(journal.read_bytes()[:100])
    assert entry.unfinished() == []
    assert scene.restored(entry).max() > 0
