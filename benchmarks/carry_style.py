"""What *Carry over* makes of a style of labels that one or two corrected slices show.

    python -m benchmarks.carry_style PREPARED

PREPARED holds `val` as `spineseg dataset prepare` makes it. Reference labels in the narrow style (see
`learning_kinds`) stand in for a person who put one or two slices right; what is printed is the mean Dice of
the other slices, over scans: as the bundled model says it, and after carrying over without looking for a
style and with it. Every scan as it is (thin slices), and thinned to 3.6 mm.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.learning_kinds import KINDS, thinned
from benchmarks.learning_runs import reader_of
from napari_spineseg.corrections import carry
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.learning.reading import Reader
from napari_spineseg.models import get_model

TITLES = {1: "vertebra", 2: "disc", 3: "spinal canal"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    volumes = load_prepared(parser.parse_args().prepared / "val")
    reader = reader_of(get_model("lumbar").weights)
    print(f"| slices | corrected | {' | '.join(TITLES.values())} |\n| --- | --- | --- | --- | --- |")
    for words, some in (("3.6 mm", [thinned(v) for v in volumes]), ("as they are", volumes)):
        for parts in (2, 3):
            found = np.array([list(scored(v, reader, parts)) for v in some]).mean(0)
            cells = (" → ".join(f".{round(1000 * value)}" for value in column) for column in found.T)
            print(f"| {words} | {parts - 1} | {' | '.join(cells)} |", flush=True)


def scored(volume: PreparedVolume, reader: Reader, parts: int) -> Iterator[list[float]]:
    """Dice of each structure on the other slices: as it was, carried over, carried over in the style."""
    special = KINDS["narrow style"](volume, 0)
    base, truth = reader.all_classes(special, range(len(special.values))), special.structures
    corrected = [len(base) * part // parts for part in range(1, parts)]
    labels = base.copy()
    labels[corrected] = truth[corrected]
    others = np.setdiff1d(np.arange(len(base)), corrected)
    spacing = (volume.slice_mm, volume.spacing_mm, volume.spacing_mm)
    yield dice(base[others], truth[others])
    for style in (False, True):
        look = mock.patch.object(carry, "restyled", carry.restyled if style else lambda *_: None)
        with look:
            edit = carry.carry_over(labels, base, corrected, spacing, special.values, scheme="structures")
        after = labels.copy()
        edit.apply(after)
        yield dice(after[others], truth[others])


def dice(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Of each structure."""
    return [
        2 * ((first == n) & (second == n)).sum() / max(1, (first == n).sum() + (second == n).sum())
        for n in TITLES
    ]


if __name__ == "__main__":
    main()
