"""`make benchmark`: measure what is promised, print it, and write it down.

    python -m benchmarks [NAME...] [-o FILE] [--runs N]

Each entry is a module here with `measure(runs) -> list[Figure]`. Figures are medians over runs with
their spread, because the machine may be busy; processor time is given where it says more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib import import_module
from pathlib import Path

ENTRIES = (
    "startup",
    "whole_scan",
    "engine",
    "resampling",
    "memory",
    "training",
    "volumetric",
    "preprocessing",
    "correction_speed",
    "tumours_speed",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what is promised.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which of {', '.join(ENTRIES)}; all if none"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/benchmark.json"))
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(ENTRIES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    figures = []
    for name in arguments.names or ENTRIES:
        for figure in import_module(f"benchmarks.{name}").measure(arguments.runs):
            print(figure, flush=True)
            figures.append({"benchmark": name, **figure.as_dict()})
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({"machine": machine, "figures": figures}, indent=1) + "\n")
    print(f"Written to {arguments.output}")


if __name__ == "__main__":
    main()
