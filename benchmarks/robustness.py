"""What disturbances cost the default model: Dice on validation scans as they are, and spoiled in stated ways.

    python -m benchmarks.robustness PREPARED [--weights NAME=FILE.safetensors ...] [--report]

PREPARED holds `val`, as `spineseg dataset prepare` makes it. Scans are thinned to 3.6 mm, and five slices of
each are scored. The disturbances are those of `learning_kinds`.
Without `--weights` the bundled model is looked at; `--report` writes `robustness.md`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.learning_efficiency import scores
from benchmarks.learning_kinds import KINDS, thinned
from benchmarks.learning_runs import reader_of
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.models import get_model

HERE = Path(__file__).parent
_MARK = "<!-- table -->"
_AS_THEY_ARE = "as they are"
# It changes labels, not images.
_NOT_OF_IMAGES = "narrow style"
_COLUMNS = ("vertebra", "disc", "spinal canal", "mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--weights", nargs="+", default=[])
    parser.add_argument("--report", action="store_true", help="write the table into robustness.md")
    words = parser.parse_args()
    named = dict(pair.split("=", 1) for pair in words.weights) or {"bundled": get_model("lumbar").weights}
    table = _table(load_prepared(words.prepared / "val"), {n: Path(w) for n, w in named.items()})
    print(table)
    if words.report:
        page = HERE / "robustness.md"
        page.write_text(page.read_text().split(_MARK)[0] + f"{_MARK}\n\n{table}\n")


def _table(volumes: list[PreparedVolume], weights: dict[str, Path]) -> str:
    unseen = [thinned(v) for v in volumes]
    kinds = {_AS_THEY_ARE: unseen} | {
        name: [make(v, n) for n, v in enumerate(unseen)]
        for name, make in KINDS.items()
        if name != _NOT_OF_IMAGES
    }
    lines = [f"| scans | model | {' | '.join(_COLUMNS)} |", "| --- " * (2 + len(_COLUMNS)) + "|"]
    for kind, spoiled in kinds.items():
        for name, path in weights.items():
            dice = scores(reader_of(path), spoiled)
            lines.append(f"| {kind} | {name} | {' | '.join(f'{dice[title]:.3f}' for title in _COLUMNS)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
