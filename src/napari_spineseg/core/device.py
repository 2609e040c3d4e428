"""Where a network runs, and in which precision: asked for by name, or measured.

What a processor does well cannot be read off its name. One has bfloat16 units and is three times
faster with them, the next has none and is three times slower. So the choice is measured once a
process, with a convolution that takes a few milliseconds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch.nn import functional

from napari_spineseg.errors import SettingsError

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "fp32", "bf16"]

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# bf16 costs a little accuracy, so it has to win by more than the noise of the measurement.
_WORTHWHILE = 0.8
# Where the processor has tiles made for bf16 (AMX), only much slower is believed: beside other work they were
# timed at 1.3 times float32, and a scan came out a little differently from one call to the next.
_BELIEVED_WITH_TILES = 2.0
_PROBE_REPEATS = 5


def choose_device(name: DeviceName = "auto") -> torch.device:
    """The device of that name; `auto` takes CUDA, then Apple's GPU, then the processor.

    Raises
    ------
    SettingsError
        If the device was asked for by name and is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(device for device, is_there in there.items() if is_there))
    if name not in there:
        raise SettingsError(f"There is no device called {name!r}; choose auto, cpu, cuda or mps.")
    if not there[name]:
        usable = ", ".join(device for device, is_there in there.items() if is_there)
        raise SettingsError(
            f"Device {name} was asked for but this computer has none; usable: {usable}, or auto."
        )
    return torch.device(name)


def choose_precision(device: torch.device, name: PrecisionName = "auto") -> torch.dtype:
    """What convolutions are computed in on `device`.

    `auto`: on a processor, bfloat16 where a timed convolution says that it pays; on CUDA,
    bfloat16 or else float16; float32 elsewhere.

    Raises
    ------
    SettingsError
        If the precision is unknown.
    """
    if name == "auto":
        if device.type == "cpu":
            return torch.bfloat16 if bf16_pays() else torch.float32
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.float32
    if name not in PRECISIONS:
        raise SettingsError(f"There is no precision called {name!r}; choose auto, fp32 or bf16.")
    return PRECISIONS[name]


def training_precision(device: torch.device, name: PrecisionName = "auto") -> torch.dtype:
    """What networks are trained in on `device`: bfloat16 where it is chosen, else float32.

    float16 would need its loss scaled.
    """
    return torch.bfloat16 if choose_precision(device, name) == torch.bfloat16 else torch.float32


def precision_name(dtype: torch.dtype) -> str:
    """The name of a precision as it is written into provenance."""
    return next(name for name, known in PRECISIONS.items() if known == dtype)


@lru_cache(maxsize=1)
def bf16_pays() -> bool:
    """Whether this processor convolves in bfloat16 clearly faster than in float32. Measured once.

    One with tiles for bfloat16 is taken at its word, unless it is measured to be far slower.
    """
    times = {dtype: math.inf for dtype in (torch.float32, torch.bfloat16)}
    work = {dtype: _probe_convolution(dtype) for dtype in times}
    try:
        for _ in range(_PROBE_REPEATS):
            # Interleaved, so that another process' burst does not hit one of the two only.
            for dtype, (image, weight) in work.items():
                times[dtype] = min(times[dtype], _seconds(image, weight))
    except RuntimeError:
        return False  # A build of torch without bf16 convolutions
    limit = _BELIEVED_WITH_TILES if _has_tiles() else _WORTHWHILE
    return times[torch.bfloat16] < limit * times[torch.float32]


def _has_tiles() -> bool:
    """Whether torch sees AMX; False where this build of torch cannot tell."""
    told = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(told and told())


def _probe_convolution(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    image = torch.ones(1, 64, 64, 64, dtype=dtype).contiguous(memory_format=torch.channels_last)
    return image, torch.ones(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)


def _seconds(image: torch.Tensor, weight: torch.Tensor) -> float:
    with torch.inference_mode():
        start = time.perf_counter()
        functional.conv2d(image, weight, padding=1)
        return time.perf_counter() - start


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let each torch operation use `number` threads; put back afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def usable_cpus() -> int:
    """Processors that torch may keep busy.

    Never more than torch was told to use (OMP_NUM_THREADS, `torch.set_num_threads`), nor than
    this process really has: a container that is granted two of sixty-four processors would
    otherwise fight itself.
    """
    return max(1, min(torch.get_num_threads(), available_cpus()))


@lru_cache(maxsize=1)
def threads_for_one_slice() -> int:
    """Threads that finish a single slice soonest: all processors, if a timed convolution says so.

    On two hyperthreads of one core, or beside other work, one thread is often the fastest.
    """
    cpus = usable_cpus()
    if cpus == 1:
        return 1
    times = {}
    image, weight = _probe_convolution(torch.float32)
    for number in (1, cpus):
        with threads(number):
            times[number] = min(_seconds(image, weight) for _ in range(_PROBE_REPEATS))
    return cpus if times[cpus] < _WORTHWHILE * times[1] else 1


def available_cpus(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Processors that this process may use: its affinity, and a container's quota where there is one."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text().split()
        return max(1, min(cpus, math.ceil(int(allowed) / int(period))))
    except (OSError, ValueError):
        return cpus  # No cgroup v2, or "max": no quota
