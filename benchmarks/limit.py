"""How near to the processor's convolution limit something comes, on a machine that others use as well.

What a shared processor does in a second goes up and down tenfold within seconds. So the limit is measured
for a fiftieth of a second right before and right after each lap, laps are short, and a lap counts only if
the limit was the same, by a tenth, before and after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch.nn import functional

from benchmarks.workload import timed

# Channels and side of the convolutions that the limit is read off: the quickest of them is the limit.
_PROBES = ((32, 144), (64, 144), (64, 72), (128, 72), (128, 36), (256, 36))
_LAPS, _GFLOP = 25, 15.0
_STEADY, _ATTEMPTS = 0.9, 20


@dataclass(frozen=True)
class Probe:
    """A 3 x 3 convolution, channels_last, `gflop` long."""

    convolve: Callable[[], Any]
    gflop: float

    def rate(self) -> float:
        """GFLOP a processor second, now."""
        with timed() as lap:
            self.convolve()
        return self.gflop / lap.processor


def convolution_limit(dtype: torch.dtype) -> Probe:
    """The quickest convolution there is, found by taking turns. On as many threads as torch has now."""
    probes = [_probe(channels, side, dtype) for channels, side in _PROBES]
    turns = [[probe.rate() for probe in probes] for _ in range(_LAPS)][1:]
    # Beside the others of its turn, for turns differ more than probes do
    quickest = max(range(len(probes)), key=lambda k: median(turn[k] / sum(turn) for turn in turns))
    return probes[quickest]


def share_of_limit(job: Callable[[], Any], gflop: float, limit: Probe, laps: int) -> list[float]:
    """What part of the limit `job`, which computes `gflop`, reaches in each of `laps` laps.

    There are fewer where the limit hardly ever stays for a lap.

    Raises
    ------
    RuntimeError
        If it never does.
    """
    job()
    shares: list[float] = []
    for _ in range(_ATTEMPTS * laps):
        before = limit.rate()
        with timed() as lap:
            job()
        after = limit.rate()
        if min(before, after) > _STEADY * max(before, after):
            shares.append(gflop / lap.processor / ((before + after) / 2))
        if len(shares) == laps:
            break
    if not shares:
        raise RuntimeError("Too much else is going on: the convolution limit changes from lap to lap.")
    return shares


def _probe(channels: int, side: int, dtype: torch.dtype) -> Probe:
    image = torch.randn(1, channels, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    work = 2 * 9 * channels**2 * side**2 / 1e9
    repeats = max(1, round(_GFLOP / work))

    def convolve() -> None:
        for _ in range(repeats):
            functional.conv2d(image, weight, padding=1)

    return Probe(convolve, work * repeats)
