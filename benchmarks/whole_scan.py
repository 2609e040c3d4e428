"""From file to saved levels: a thick-slice exam and a fine volume, in one process and as a command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.peak import peak_gib
from benchmarks.workload import exam
from napari_spineseg import io

# Slices, millimetres between them, and the seconds promised in process for the whole way.
_EXAMS = ((17, 4.0, 2.0), (100, 0.9, 12.0))
_COMMAND_SECONDS = 5.0


def measure(runs: int) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for slices, apart, promised in _EXAMS:
            path = folder / f"exam{slices}.nii.gz"
            io.write_scan(exam(slices, apart_mm=apart), path)
            size = f"{slices} x 512 x 512"
            figures += _in_process(size, path, promised, runs)
            figures.append(_whole_command(size, path, runs, _COMMAND_SECONDS if slices == 17 else None))
    return figures


def _in_process(size: str, path: Path, promised: float, runs: int) -> list[Figure]:
    from napari_spineseg.segment import SegmentSettings, segment

    seconds: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        started = time.perf_counter()
        scan = io.read_scan(path)
        read = time.perf_counter()
        result = segment(scan, SegmentSettings(device="cpu"))
        done = time.perf_counter()
        io.write_segmentation(result.segmentation, path.with_name("out.nii.gz"))
        laps = {"read": read - started, "write": time.perf_counter() - done, **result.seconds}
        for stage, value in (laps | {"total": time.perf_counter() - started}).items():
            seconds.setdefault(stage, []).append(value)
    peak = peak_gib()
    return [
        *(
            # The first run loads the network and probes the processor
            Figure(
                f"{size} in process: {stage}", tuple(values[1:]), "s", promised if stage == "total" else None
            )
            for stage, values in seconds.items()
        ),
        Figure(f"{size}: peak memory of the process", (peak,), "GiB"),
    ]


def _whole_command(size: str, path: Path, runs: int, promised: float | None) -> Figure:
    values = []
    for run in range(runs):
        words = ["segment", str(path), "-o", str(path.parent / str(run)), "--device", "cpu", "--overwrite"]
        started = time.perf_counter()
        code = "from napari_spineseg.cli import main; main()"  # As the installed script does
        subprocess.run(
            [sys.executable, "-c", code, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        values.append(time.perf_counter() - started)
    return Figure(f"{size}, whole command, start-up included", tuple(values), "s", at_most=promised)
