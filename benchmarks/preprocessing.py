"""Preprocessing a large scan: time, peak memory, how soon it stops; resampling against SciPy; the preview."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
from scipy import ndimage

from benchmarks.figure import Figure
from benchmarks.workload import interleaved
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing import make_step
from napari_spineseg.preprocessing.one_slice import draft
from napari_spineseg.preprocessing.regrid import regrid
from napari_spineseg.scan import Scan

SHAPE = (100, 512, 512)
SPACING = (1.0, 0.6, 0.6)
STEPS = {
    "N4": ("n4", {}),
    "resample in the plane to 0.5 mm": ("resample", {"spacing_mm": 0.5}),
    "resample to 1 mm, isotropic": ("resample", {"which": "isotropic", "spacing_mm": 1.0}),
}

# Peak memory is over that of an interpreter with torch and the step, no scan; in multiples of the scan
# in float32. The stop is asked for at a fifth, and at two thirds, of the time that the step took.
_PROGRAM = """
import json, resource, sys, threading, time
import numpy as np, torch
from benchmarks.preprocessing import large_scan
from benchmarks.peak import peak_gib
from napari_spineseg.errors import Stopped
from napari_spineseg.preprocessing import make_step
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan
import skimage.filters, scipy.ndimage
torch.set_num_threads(1)
name, settings = json.loads(sys.argv[1])
step = make_step(name, settings)
greys = np.random.default_rng(0).integers(0, 900, (12, 40, 40)).astype(np.int16)
small = Scan(greys, np.diag([4, 1, 1, 1.0]))
step(small)
base = peak_gib()
scan = large_scan()
stages = []
started, worked = time.perf_counter(), time.process_time()
step(scan, control=Control(stages.append))
seconds, work = time.perf_counter() - started, time.process_time() - worked
memory = (peak_gib() - base) * 2**30 / (scan.voxels.size * 4)
waits = []
for share in (0.2, 0.66):
    stop = threading.Event()
    asked = []
    def ask():
        asked.append(time.perf_counter()); stop.set()
    timer = threading.Timer(share * seconds, ask); timer.start()
    try:
        step(scan, control=Control(should_stop=stop.is_set))
    except Stopped:
        waits.append(time.perf_counter() - asked[0])
    timer.cancel()
print(json.dumps([seconds, work, memory, max(waits, default=-1.0), len(stages)]))
"""


def large_scan() -> Scan:
    """100 × 512 × 512 int16, sagittal: tissue in air, shaded, noisy."""
    rng = np.random.default_rng(5)
    rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE[1:])
    body = (rows[:, None] ** 2 + columns**2 < 0.8) * (300 + 200 * (np.arange(SHAPE[1])[:, None] // 40 % 2))
    shading = np.exp(0.5 * columns)
    voxels = np.empty(SHAPE, np.int16)
    for slice_ in voxels:
        slice_[...] = body * shading + rng.standard_normal(SHAPE[1:], np.float32) * 12 + 30
    affine = np.array([[SPACING[0], 0, 0, 0], [0, 0, -SPACING[2], 0], [0, -SPACING[1], 0, 0], [0, 0, 0, 1]])
    return Scan(voxels, affine, name="large")


def measure(runs: int) -> list[Figure]:
    figures = []
    for words, step in STEPS.items():
        seconds, work, memory, stop, stages = zip(
            *(_run(step) for _ in range(max(1, runs // 2))), strict=True
        )
        figures += [
            Figure(f"{words}: on the clock", seconds, "s"),
            Figure(f"{words}: processor", work, "s"),
            Figure(f"{words}: peak, scan in float32", memory, "x", at_most=6.0),
            Figure(f"{words}: stops within", stop, "s", at_most=1.0),
            Figure(f"{words}: progress reports", tuple(map(float, stages)), ""),
        ]
    return figures + _against_scipy(runs) + _preview(runs)


def _run(step: tuple[str, dict]) -> list[float]:
    out = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(step)], check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout)


def _against_scipy(runs: int) -> list[Figure]:
    """The same linear interpolation by torch and by SciPy, finer in the plane, and on an oblique grid."""
    import torch

    torch.set_num_threads(1)
    scan = large_scan()
    voxels = scan.voxels[:17].astype(np.float32)
    source = Grid(voxels.shape, scan.affine)
    fine = _finer(source, 0.5)
    oblique = _oblique(source)
    figures = []
    for words, target in (("finer in the plane", fine), ("oblique", oblique)):
        matrix = np.linalg.inv(source.affine) @ target.affine
        jobs = {
            "torch": lambda target=target: regrid(voxels, source, target),
            "SciPy": lambda matrix=matrix, target=target: ndimage.affine_transform(
                voxels, matrix[:3, :3], matrix[:3, 3], target.shape, order=1, mode="nearest"
            ),
        }
        middle = tuple(slice(n // 4, -n // 4) for n in target.shape)
        apart = np.abs(jobs["torch"]()[middle] - jobs["SciPy"]()[middle]).max()
        laps = interleaved(jobs, runs)
        times = [b.processor / a.processor for a, b in zip(laps["torch"], laps["SciPy"], strict=True)]
        figures += [
            Figure(f"17 slices {words}: torch, processor", tuple(a.processor for a in laps["torch"]), "s"),
            Figure(f"17 slices {words}: SciPy takes", tuple(times), "x"),
            Figure(f"17 slices {words}: largest difference of 900 greys", (float(apart),), ""),
        ]
    return figures


def _finer(grid: Grid, mm: float) -> Grid:
    shape = (
        grid.shape[0],
        *(round(n * s / mm) for n, s in zip(grid.shape[1:], grid.spacing[1:], strict=True)),
    )
    affine = np.array(grid.affine)
    affine[:3, 1] *= mm / grid.spacing[1]
    affine[:3, 2] *= mm / grid.spacing[2]
    return Grid(shape, affine)


def _oblique(grid: Grid) -> Grid:
    """Turned by 6° in the plane, about the middle."""
    c, s = np.cos(0.1), np.sin(0.1)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    centre = grid.affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2) + grid.affine[:3, 3]
    affine = np.array(grid.affine)
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(grid.shape) - 1) / 2)
    return Grid(grid.shape, affine)


def _preview(runs: int) -> list[Figure]:
    """One slice of the large scan after a setting was changed: measuring and changing, processor time."""
    scan = large_scan()
    point = scan.affine[:3, :3] @ (50, 256, 256) + scan.affine[:3, 3]
    figures = []
    for names in (
        ["reorient"],
        ["crop"],
        ["clip"],
        ["zscore"],
        ["resample"],
        ["clahe"],
        ["tv"],
        ["clip", "zscore"],
    ):
        steps = [make_step(name, {"head_mm": 20} if name == "crop" else {}) for name in names]
        times = []
        for _ in range(runs):
            started = time.process_time()
            draft(scan, steps).slice_at(point)
            times.append(time.process_time() - started)
        limit = 0.2 if "tv" not in names and "clahe" not in names else None
        figures.append(Figure(f"preview of {' + '.join(names)}: processor", tuple(times), "s", at_most=limit))
    return figures
