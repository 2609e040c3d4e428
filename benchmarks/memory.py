"""How time and memory grow with the scan: 1, 2, 4 and 8 times the slices, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.figure import Figure

SLICES = (17, 34, 68, 136)

# Peak memory is compared with that of an interpreter that has torch and the network, no scan.
_PROGRAM = """
import json, sys, time
import torch
from benchmarks.peak import peak_gib as peak
from benchmarks.workload import bundled, exam
from napari_spineseg.core.predict import predict
model = bundled()
base = peak()
scan = exam(int(sys.argv[1]))
with_scan = peak()
started = time.process_time()
predict(scan, model)
print(json.dumps([peak() - base, time.process_time() - started]))
"""


def measure(runs: int) -> list[Figure]:
    measured = {n: [_run(n) for _ in range(max(1, runs // 2))] for n in SLICES}
    figures = []
    for n, values in measured.items():
        gib, seconds = zip(*values, strict=True)
        limit = 1.2 if n == SLICES[0] else None
        figures.append(Figure(f"{n} x 512 x 512: peak over the interpreter with torch", gib, "GiB", limit))
        figures.append(Figure(f"{n} x 512 x 512: processor time", seconds, "s"))
    return figures


def _run(slices: int) -> tuple[float, float]:
    out = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(slices)], check=True, capture_output=True, text=True
    )
    return tuple(json.loads(out.stdout))
