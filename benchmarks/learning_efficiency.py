"""How much of a model's error some corrected scans take away, and what that costs elsewhere.

Reference labels stand in for a person's corrections. For each kind of scan on which the bundled model is
weak (`learning_kinds`): 0, 1, 2, 4, 8 scans are put into a corrections store, `learning.run.session` does
what `spineseg learn` does, and the result is scored on patients that neither pretraining nor the corrections
have seen. Scans of those patients as they are, of no special kind, say what was forgotten.

    python -m benchmarks.learning_efficiency PREPARED --work DIR [--kinds ...] [--counts ...] [--seeds ...]

PREPARED holds `train`, `val` and `t2` as `spineseg dataset prepare` makes them. Each run adds a line to
DIR/runs.jsonl and is not done again; `--report` writes the tables and the plot from those lines and those of
`learning_ceiling`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.learning_kinds import COUNTS, KINDS, thinned
from benchmarks.learning_report import write_report
from benchmarks.learning_runs import learn_from, read_lines, reader_of, run_once
from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.learning.reading import Reader, class_titles, evenly
from napari_spineseg.learning.verdict.scores import Tally, tally
from napari_spineseg.models import get_model
from napari_spineseg.scan import Scan, Segmentation

HERE = Path(__file__).parent
SLICES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--counts", nargs="+", type=int, default=list(COUNTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--report", action="store_true", help="only write the report")
    words = parser.parse_args()
    words.work.mkdir(parents=True, exist_ok=True)
    if not words.report:
        bench = Bench(words.prepared, words.work)
        for count in words.counts:
            for seed in words.seeds if count else [0]:
                for kind in words.kinds:
                    bench.once(kind, count, seed)
    runs, ceilings = (read_lines(words.work / f"{name}.jsonl") for name in ("runs", "ceilings"))
    write_report(runs, ceilings, HERE / "learning_efficiency.md")


class Bench:
    """Volumes, and the file that results go to."""

    def __init__(self, prepared: Path, work: Path) -> None:
        self.work = work
        self.train = [thinned(v) for v in load_prepared(prepared / "train")]
        self.unseen = [thinned(v) for v in load_prepared(prepared / "val")]
        self.plain = [*self.unseen, *load_prepared(prepared / "t2")]
        self._special: dict[str, list[PreparedVolume]] = {}
        self.model = get_model("lumbar")

    def once(self, kind: str, count: int, seed: int) -> None:
        """One run, unless it is there."""
        key = {"kind": kind, "count": count, "seed": seed, "model": self.model.sha256[:12]}
        run_once(self.work / "runs.jsonl", key, lambda: self.measure(kind, count, seed))

    def measure(self, kind: str, count: int, seed: int) -> dict:
        """Learn, and score what came of it."""
        started = time.monotonic()
        found, weights = self.learn(kind, count, seed) if count else ({}, self.model.weights)
        seconds = round(time.monotonic() - started, 1)
        return found | {"seconds": seconds} | self.score(weights, kind)

    def learn(self, kind: str, count: int, seed: int) -> tuple[dict, Path]:
        """Learn from a store of `count` corrected scans: what to note of it, and the new weights."""

        def fill(store: CorrectionsStore) -> None:
            reader = reader_of(self.model.weights)
            for n in np.random.default_rng(seed).permutation(len(self.train))[:count]:
                add(store, KINDS[kind](self.train[n], seed), reader)

        name = f"{kind}-{count}-{seed}".replace(" ", "_")
        verdict, weights = learn_from(fill, "lumbar", seed, self.work, name)
        noted = {
            "promoted": verdict.promoted,
            "reason": verdict.reason,
            "guard_change": verdict.guard["mean"].change,
            "steps": verdict.steps,
            "learn_seconds": verdict.seconds,
        }
        return noted, weights

    def score(self, weights: Path, kind: str) -> dict:
        """Dice on unseen scans of the kind, and on those patients' scans as they are."""
        reader = reader_of(weights)
        if kind not in self._special:
            self._special[kind] = [KINDS[kind](v, n) for n, v in enumerate(self.unseen)]
        return {
            "unseen": scores(reader, self._special[kind]),
            "plain": scores(reader, self.plain),
        }


def scores(reader: Reader, volumes: list[PreparedVolume]) -> dict:
    titles = class_titles(load_model(get_model("lumbar").weights).card)
    parts: list[Tally] = []
    for volume in volumes:
        slices = evenly(np.flatnonzero(volume.structures.any((1, 2))), SLICES)
        seen = reader.all_classes(volume, slices)
        parts.append(tally(seen, volume.structures[slices], volume.spacing_mm, titles))
    return Tally.joined(parts).scores()


def add(store: CorrectionsStore, volume: PreparedVolume, reader: Reader) -> Scan:
    """A volume with its reference as a correction of what the model says of it."""
    scan = Scan(volume.values, volume.affine, name=f"{volume.patient}_{volume.name}")
    seen = reader.all_classes(volume, range(len(volume.values)))
    made = [
        Segmentation(a.astype(np.uint16), volume.affine, name=volume.name, scheme="structures")
        for a in (volume.structures, seen)
    ]
    store.add_correction(scan, made[0], made[1], model={"name": "lumbar"})
    store.find(scan).say("done")
    return scan


if __name__ == "__main__":
    main()
