"""What `test_kill.py` runs in a process: draws, autosaves and saves versions until it is killed.

Edit n sets cell n to n + 1. Each is reported with the time it was made, so that whoever kills the
process knows what must be found again. It goes on from what the store gives back.
"""

from __future__ import annotations

import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from napari_spineseg.corrections.autosave import Autosave
from napari_spineseg.corrections.journal import discard, read_journal
from napari_spineseg.corrections.store import CorrectionsStore, Entry
from napari_spineseg.scan import Scan, Segmentation

SHAPE = (8, 40, 40)
LOOK_S = 0.1
EDITS_A_VERSION = 15


def the_scan() -> Scan:
    return Scan(
        np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE), np.diag([3.0, 1.0, 1.0, 1.0]), "drawn"
    )


def cell(number: int) -> tuple[slice, slice, slice]:
    """A place of its own for each edit: 2 x 4 x 4 voxels."""
    plane, rest = divmod(number, 100)
    row, column = divmod(rest, 10)
    return slice(2 * plane, 2 * plane + 2), slice(4 * row, 4 * row + 4), slice(4 * column, 4 * column + 4)


def restored(entry: Entry) -> np.ndarray:
    """What a person would be given back: what a crash left behind, else the latest version."""
    journals = entry.unfinished()
    if journals:
        return read_journal(journals[0]).labels
    return entry.latest.load().labels if entry.latest else np.zeros(SHAPE, np.uint16)


def draw(store: Path, edits: int, seed: int, pipe: Connection) -> None:
    """Make edits up to number `edits`; send "ready", (number, when) for each edit, and "finished"."""
    scan, rng = the_scan(), np.random.default_rng(seed)
    entry = CorrectionsStore(store, create=True).add(scan)
    left = entry.unfinished()
    labels = restored(entry)
    journal = entry.start_journal(labels, {}, carried=read_journal(left[0]).unsaved if left else 0)
    for path in left:
        discard(path)  # it is all in the new journal, from its start on
    autosave, lock = Autosave(labels, journal), threading.Lock()
    stop = threading.Event()

    def keep_looking() -> None:
        while not stop.wait(LOOK_S):
            with lock:
                autosave.look()

    looker = threading.Thread(target=keep_looking, daemon=True)
    looker.start()
    pipe.send("ready")
    for number in range(int(labels.max()), edits):
        labels[cell(number)] = number + 1
        pipe.send((number, time.monotonic()))
        if rng.random() < 1 / EDITS_A_VERSION:
            with lock:
                saved, changes = autosave.settle()
            version = entry.add_version(Segmentation(saved, scan.affine))
            with lock:
                journal.mark_version(version.number, changes)
        time.sleep(rng.uniform(0, 0.03))
    stop.set()
    looker.join()
    autosave.look()
    journal.leave()
    pipe.send("finished")
