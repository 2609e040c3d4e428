"""A thick-slice exam of 17 x 512 x 512 from file to saved levels: the whole command, and in one process."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.figure import Figure
from napari_spineseg import io
from napari_spineseg.sample_data import T2, sample_path
from napari_spineseg.scan import Scan

SIDE = 512


def measure(runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        scan = thick_slice_exam(Path(folder))
        return [*_in_process(scan, Path(folder), runs), _whole_command(scan, Path(folder), runs)]


def thick_slice_exam(folder: Path) -> Path:
    """The T2 sample, brought to 512 x 512 pixels a slice."""
    sample = io.read_scan(sample_path(T2))
    zoom = np.array([1.0 if n == min(sample.voxels.shape) else SIDE / n for n in sample.voxels.shape])
    voxels = ndimage.zoom(sample.voxels, zoom, order=1)
    affine = sample.affine @ np.diag([*(np.array(sample.voxels.shape) / voxels.shape), 1.0])
    path = folder / "exam.nii.gz"
    io.write_scan(Scan(voxels, affine, name="exam"), path)
    return path


def _in_process(path: Path, folder: Path, runs: int) -> list[Figure]:
    from napari_spineseg.segment import SegmentSettings, segment

    seconds: dict[str, list[float]] = {}
    for _ in range(runs + 1):
        started = time.perf_counter()
        scan = io.read_scan(path)
        read = time.perf_counter()
        result = segment(scan, SegmentSettings(device="cpu"))
        done = time.perf_counter()
        io.write_segmentation(result.segmentation, folder / "out.nii.gz")
        laps = {"read": read - started, "write": time.perf_counter() - done, **result.seconds}
        for stage, value in (laps | {"total": time.perf_counter() - started}).items():
            seconds.setdefault(stage, []).append(value)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = [
        Figure(
            f"17 x {SIDE} x {SIDE} in process: {stage}",
            tuple(values[1:]),
            "s",
            2.0 if stage == "total" else None,
        )
        for stage, values in seconds.items()
    ]
    return [*figures, Figure("peak memory of the process", (peak,), "GiB")]


def _whole_command(path: Path, folder: Path, runs: int) -> Figure:
    values = []
    for run in range(runs):
        words = ["segment", str(path), "-o", str(folder / str(run)), "--device", "cpu"]
        started = time.perf_counter()
        code = f"from napari_spineseg.cli import main; main({words!r})"
        subprocess.run(
            [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        values.append(time.perf_counter() - started)
    return Figure(f"17 x {SIDE} x {SIDE}, whole command, start-up included", tuple(values), "s", at_most=5.0)
