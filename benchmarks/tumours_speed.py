"""Looking for tumours: slices a second from a scan in memory to the list of findings, levels counted."""

from __future__ import annotations

import time

from benchmarks.figure import Figure
from benchmarks.workload import exam
from napari_spineseg.segment import SegmentSettings, segment

SLICES, _PROMISED = 20, 10.0


def measure(runs: int) -> list[Figure]:
    scan, settings = exam(SLICES), SegmentSettings(model="tumour", device="cpu")
    seconds: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        started = time.perf_counter()
        result = segment(scan, settings)
        for stage, value in (result.seconds | {"total": time.perf_counter() - started}).items():
            seconds.setdefault(stage, []).append(value)
    # The first run loads the networks and probes the processor
    figures = [
        Figure(f"{SLICES} x 512 x 512, tumours: {stage}", tuple(values[1:]), "s")
        for stage, values in seconds.items()
    ]
    rates = tuple(SLICES / total for total in seconds["total"][1:])
    return [*figures, Figure("slices a second, end to end", rates, "/s", at_least=_PROMISED)]
