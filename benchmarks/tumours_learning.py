"""What 1, 2 and 4 corrected tumours of a kind that the bundled model never saw are worth.

The kind is the *posterior element tumour* of `synthesis.lesions`: another place and another texture than
what the model learnt from. It is painted into scans of patients whose images it did learn from; the truth
stands in for a person's correction. `learning.run.session` does what `spineseg learn` does, and the result is
scored on tumours of the kind, of outlines that are in no correction, in patients that nobody saw.

    python -m benchmarks.tumours_learning PREPARED --work DIR [--counts ...] [--seeds ...]

Each run adds a line to DIR/runs.jsonl and is not done again; the table is printed from those lines.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.learning_runs import learn_from, read_lines, reader_of, run_once
from napari_spineseg.anatomy import Structure
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.datasets.prepared import (
    PreparedVolume,
    load_prepared,
    resized,
    resized_labels,
    windowed,
)
from napari_spineseg.learning.reading import Reader
from napari_spineseg.models import get_model
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.lesion_shapes import Form
from napari_spineseg.synthesis.lesion_sites import Slab
from napari_spineseg.synthesis.lesions import HELD_OUT_FORMS, TRAINING_FORMS, Kind, paint, scatter

_SLICE_MM = 3.6
_UNSEEN_SEED, _PAINTINGS = 900, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--counts", nargs="+", type=int, default=[0, 1, 2, 4])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    words = parser.parse_args()
    words.work.mkdir(parents=True, exist_ok=True)
    bench = Bench(words.prepared, words.work)
    for seed in words.seeds:
        for count in words.counts:
            if count or seed == words.seeds[0]:
                bench.once(count, seed)
    print(table(bench.lines()))


class Bench:
    """Scans, and the file that results go to."""

    def __init__(self, prepared: Path, work: Path) -> None:
        self.work, self.model = work, get_model("tumour")
        self.train = [thinned(v) for v in load_prepared(prepared / "train")]
        held = [thinned(v) for v in load_prepared(prepared / "val")]
        self.unseen = [
            with_tumours(v, _UNSEEN_SEED + 10 * n + k, 2, HELD_OUT_FORMS)
            for n, v in enumerate(held)
            for k in range(_PAINTINGS)
        ]

    def lines(self) -> list[dict]:
        return [
            line for line in read_lines(self.work / "runs.jsonl") if line["model"] == self.model.sha256[:12]
        ]

    def once(self, count: int, seed: int) -> None:
        """One run, unless it is there."""
        key = {"count": count, "seed": seed, "model": self.model.sha256[:12]}
        run_once(self.work / "runs.jsonl", key, lambda: self.measure(count, seed))

    def measure(self, count: int, seed: int) -> dict:
        """Learn, and score what came of it."""
        start = time.process_time()
        found, weights = self.learn(count, seed) if count else ({}, self.model.weights)
        dice = scores(reader_of(weights), self.unseen)
        return found | {"cpu_s": round(time.process_time() - start, 1), "dice": dice}

    def learn(self, count: int, seed: int) -> tuple[dict, Path]:
        """Learn from one corrected tumour in each of `count` scans: what to note, and the new weights."""

        def fill(store: CorrectionsStore) -> None:
            reader = reader_of(self.model.weights)
            for n in np.random.default_rng(seed).permutation(len(self.train))[:count]:
                correct(store, with_tumours(self.train[n], 100 * seed + int(n), 1, TRAINING_FORMS), reader)

        verdict, weights = learn_from(fill, "tumour", seed, self.work, f"{count}-{seed}")
        noted = {
            "promoted": verdict.promoted,
            "guard_change": verdict.guard["mean"].change,
            "steps": verdict.steps,
            "learn_seconds": verdict.seconds,
        }
        return noted, weights


def thinned(volume: PreparedVolume) -> PreparedVolume:
    """Every nth slice of a thin-slice volume, as a clinical exam has them."""
    step = max(1, round(_SLICE_MM / volume.slice_mm))
    values, structures = volume.values[::step], volume.structures[::step]
    return replace(volume, values=values, structures=structures, slice_mm=volume.slice_mm * step)


def with_tumours(volume: PreparedVolume, seed: int, number: int, forms: tuple[Form, ...]) -> PreparedVolume:
    """The volume with `number` tumours of the kind painted in, its structures with them."""
    x = np.arange(len(volume.values)) * volume.slice_mm
    slab = Slab(volume.values.astype(np.float32) / 255, volume.structures, x, volume.spacing_mm)
    for attempt in range(20):
        lesions = scatter(slab, [Kind.POSTERIOR] * number, seed + 10_007 * attempt, forms)
        painted = paint(slab, lesions, "T2")
        if len(painted.painted_tumours) == number:
            break
    structures = np.where(painted.tumours > 0, np.uint8(Structure.TUMOUR), volume.structures)
    values = (painted.image / 1.3 * 255).clip(0, 255).astype(np.uint8)
    return replace(volume, values=values, structures=structures)


def correct(store: CorrectionsStore, volume: PreparedVolume, reader: Reader) -> None:
    """A volume with its truth as a correction of what the model says of its tumours."""
    affine = volume.affine
    scan = Scan(volume.values, affine, name=f"{volume.patient}_{volume.name}")
    seen = reader.all_classes(volume, range(len(volume.values)))
    anatomy = np.where(volume.structures == Structure.TUMOUR, Structure.VERTEBRA, volume.structures)
    said = np.where(seen > 0, np.uint8(Structure.TUMOUR), anatomy)
    truth, prediction = (
        Segmentation(a.astype(np.uint16), affine, name=volume.name, scheme="structures")
        for a in (volume.structures, said)
    )
    store.add_correction(scan, truth, prediction, model={"name": "tumour"})
    store.find(scan).say("done")


def scores(reader: Reader, volumes: list[PreparedVolume]) -> list[float]:
    """Dice of all tumour voxels of each scan, on the network's grid."""
    found = []
    for volume in volumes:
        small = on_grid(volume, reader)
        seen = reader.all_classes(small, range(len(small.values))) > 0
        truth = small.structures == Structure.TUMOUR
        found.append(round(float(2 * (seen & truth).sum() / max(seen.sum() + truth.sum(), 1)), 4))
    return found


def on_grid(volume: PreparedVolume, reader: Reader) -> PreparedVolume:
    shape = volume.values.shape[1:]
    size = reader.spec.working_size(*shape, (volume.spacing_mm, volume.spacing_mm))
    return replace(
        volume,
        values=windowed(resized(volume.values, size)),
        structures=resized_labels(volume.structures, size, np.unique(volume.structures)),
        spacing_mm=volume.spacing_mm * shape[0] / size[0],
    )


def table(lines: list[dict]) -> str:
    """Mean Dice over unseen scans: mean and range over seeds, and how many runs passed the gate."""
    rows = ["| corrected tumours | Dice on unseen ones | seeds | guard | promoted |", "|---" * 5 + "|"]
    for count in sorted({line["count"] for line in lines}):
        those = [line for line in lines if line["count"] == count]
        dice = [statistics.mean(line["dice"]) for line in those]
        guard = [line["guard_change"] for line in those if line.get("guard_change") is not None]
        rows.append(
            f"| {count} | {statistics.mean(dice):.3f} ({min(dice):.3f} to {max(dice):.3f}) | {len(those)} | "
            f"{f'{statistics.mean(guard):+.3f}' if guard else '–'} | "
            f"{sum(line['promoted'] for line in those) if count else '–'} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
