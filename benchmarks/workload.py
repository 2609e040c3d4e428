"""What is measured on: the T2 sample grown to a clinical size, and the bundled model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from napari_spineseg import io
from napari_spineseg.core.checkpoint import LoadedModel, load_model
from napari_spineseg.core.sagittal import SagittalSlices
from napari_spineseg.models import get_model
from napari_spineseg.sample_data import T2, sample_path
from napari_spineseg.scan import Scan


def exam(slices: int, side: int = 512, apart_mm: float = 4.0) -> Scan:
    """The T2 sample as `slices` sagittal slices of side x side pixels over 280 mm."""
    sample = io.read_scan(sample_path(T2)).sagittal()
    volume = torch.from_numpy(np.array(sample, np.float32))[None, None]
    grown = functional.interpolate(volume, (slices, side, side), mode="trilinear", align_corners=False)
    pixel = 280 / side
    affine = np.array(
        [[apart_mm, 0, 0, 0], [0, 0, -pixel, 140], [0, -pixel, 0, 140], [0, 0, 0, 1]], dtype=float
    )
    return Scan(grown[0, 0].round().to(torch.int16).numpy(), affine, name=f"exam{slices}")


def bundled() -> LoadedModel:
    """The bundled lumbar model."""
    return load_model(get_model("lumbar").weights)


def network_input(scan: Scan, model: LoadedModel) -> torch.Tensor:
    """Every slice as the network sees it, (slices, channels, H, W) float32, contiguous."""
    slices = SagittalSlices(scan.sagittal(), scan.grid.to_orientation().grid.spacing, model.card.input)
    return slices.stack(list(range(len(slices)))).contiguous()


@dataclass
class Seconds:
    """Wall and processor seconds of a block; the latter say more on a busy machine."""

    wall: float = 0.0
    processor: float = 0.0


@contextmanager
def timed() -> Iterator[Seconds]:
    """Measure the block."""
    seconds, wall, processor = Seconds(), time.perf_counter(), time.process_time()
    yield seconds
    seconds.wall, seconds.processor = time.perf_counter() - wall, time.process_time() - processor


def interleaved(jobs: dict[str, Callable[[], Any]], runs: int) -> dict[str, list[Seconds]]:
    """Run the jobs in turn, so that a busy moment hits all of them; the first round only warms up."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():
            with timed() as lap:
                job()
            if run:
                seconds[name].append(lap)
    return seconds
