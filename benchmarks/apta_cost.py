"""What APTA costs against the direct label map, on full label volumes.

    python -m benchmarks.apta_cost [FOLDER] [--volumes PATTERN] [--out FILE.md]

Every labelled sagittal slice is brought to 640 x 512 in both ways: damaged as published and
repaired by APTA, and mapped directly, which is the reference. FOLDER defaults to
`../shared/data/spider_masks` beside the repository.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.io import read_segmentation
from napari_spineseg.preprocessing.apta import apta, classes_of_grey, damaged_masks
from napari_spineseg.preprocessing.direct_map import direct_map
from napari_spineseg.preprocessing.slice_filters import class_count

DEFAULT = Path(__file__).parents[2] / "shared" / "data" / "spider_masks"
STRUCTURES = (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)
# The published way with all rules, and what the first rule alone makes of the damaged masks.
WAYS = {"APTA": apta, "grey ranges alone": classes_of_grey}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--volumes", default="*.nii.gz")
    parser.add_argument("--every", type=int, default=1, help="take every nth labelled slice")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    measured = Measured()
    for path in sorted(options.folder.glob(options.volumes)):
        measured.add(path, options.every)
    report = measured.report()
    print(report)
    if options.out is not None:
        options.out.write_text(report + "\n", encoding="utf-8")


class Measured:
    """Dice of every slice, by way, set of slices and structure."""

    def __init__(self) -> None:
        self.dice: dict[tuple[str, str, Structure], list[float]] = defaultdict(list)
        self.slices: dict[str, int] = defaultdict(int)
        self.seconds: dict[str, float] = defaultdict(float)
        self.volumes = 0

    def add(self, path: Path, every: int) -> None:
        segmentation = read_segmentation(path)
        levels = segmentation.grid.to_orientation().apply(segmentation.labels)
        levels = np.ascontiguousarray(levels[levels.any((1, 2))][::every])
        started = time.process_time()
        direct = direct_map(levels)
        self.seconds["direct"] += time.process_time() - started
        started = time.process_time()
        damaged = damaged_masks(levels)
        self.seconds["damage"] += time.process_time() - started
        whole = class_count(direct) == 4
        self.volumes += 1
        self.slices["all labelled"] += len(direct)
        self.slices["four classes"] += int(whole.sum())
        for way, repair in WAYS.items():
            started = time.process_time()
            repaired = repair(damaged)
            self.seconds[way] += time.process_time() - started
            for structure in STRUCTURES:
                scores = dice(direct == structure, repaired == structure)
                for name, chosen in (("all labelled", np.ones(len(direct), bool)), ("four classes", whole)):
                    self.dice[way, name, structure] += scores[chosen & ~np.isnan(scores)].tolist()

    def report(self) -> str:
        lines = [
            f"{self.volumes} label volumes, {self.slices['all labelled']} labelled sagittal slices, "
            f"{self.slices['four classes']} of them with all four classes.",
            "Dice of a slice against the direct map, where the direct map has the structure.",
            "",
            "| labels | slices | structure | n | median | mean | worst tenth | below .5 | vanished |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for (way, name, structure), scores in self.dice.items():
            values = np.array(scores)
            lines.append(
                f"| {way} | {name} | {structure.title} | {len(values)} | {np.median(values):.3f} | "
                f"{values.mean():.3f} | {np.percentile(values, 10):.3f} | {(values < 0.5).sum()} | "
                f"{(values == 0).sum()} |"
            )
        count = max(self.slices["all labelled"], 1)
        lines += [
            "",
            f"Processor time a slice: direct map {1000 * self.seconds['direct'] / count:.0f} ms; damage and "
            f"APTA {1000 * (self.seconds['damage'] + self.seconds['APTA']) / count:.0f} ms.",
        ]
        return "\n".join(lines)


def dice(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(slices,) Dice; NaN where the reference has nothing."""
    a, b = (m.reshape(len(m), -1) for m in (reference, other))
    sizes = a.sum(1)
    score = 2 * (a & b).sum(1) / np.maximum(sizes + b.sum(1), 1)
    return np.where(sizes > 0, score, np.nan)


if __name__ == "__main__":
    main()
