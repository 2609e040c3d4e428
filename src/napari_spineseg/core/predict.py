"""A scan and a model in, structures on the scan's own grid out.

Slices go through the network one by one: a small working set that stays near the processor is
faster than one large batch, and memory grows with the scan's labels only. Whatever orientation
the scan has, the network sees sagittal slices, and what comes out fits the scan that went in.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import LoadedModel, output_structures
from napari_spineseg.core.crew import Crew, crew
from napari_spineseg.core.device import (
    DeviceName,
    PrecisionName,
    choose_device,
    threads,
    threads_for_one_slice,
)
from napari_spineseg.core.engine import Engine, Runner, engine_for, safe_precision
from napari_spineseg.core.foreground import Foreground
from napari_spineseg.core.output import Output
from napari_spineseg.core.resample import Window
from napari_spineseg.core.sagittal import SagittalSlices
from napari_spineseg.errors import ModelError
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

STAGE = "Segmenting"
_GPU_BATCH = 8
# Slices that lie closer than half of this are not each predicted: those between are interpolated.
_STEP_MM = 1.0


class PredictOptions(BaseModel):
    """How to run a model. None of these changes what is found by more than the last digits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: DeviceName = "auto"
    precision: PrecisionName = "auto"
    mirror: bool = Field(False, title="Average with left and right swapped")
    uncertainty: bool = Field(False, title="Also say how unsure the model is")
    crop: bool = Field(True, title="Look for the spine first, then only there")
    tile_px: int = Field(1536, ge=64, title="Longest side that goes through in one piece (pixels)")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model sees in a scan.

    Attributes
    ----------
    structures
        (i, j, k) uint8, `Structure` numbers, on the scan's own grid and axis order.
    uncertainty
        (i, j, k) float16, 0 sure to 1 unsure: entropy of the temperature-scaled softmax. None
        unless it was asked for. Where the network did not look (far from any spine) it is 0.
    device, precision
        What it ran on, for instance "cpu" and "fp32".
    seconds
        Seconds a stage.
    warnings
        Sentences a person should see.
    """

    structures: np.ndarray
    uncertainty: np.ndarray | None
    device: str
    precision: str
    seconds: dict[str, float]
    warnings: tuple[str, ...] = ()


def predict(
    scan: Scan, model: LoadedModel, options: PredictOptions | None = None, control: Control | None = None
) -> Prediction:
    """Find the structures of `scan`.

    Raises
    ------
    SettingsError
        If the device is not there.
    ModelError
        If the card names structures that do not exist, or the network does not fit its card.
    Stopped
        If `control` said so, at the latest one tile after it did.
    SpineSegError
        If memory is not enough for even the smallest tile.
    """
    job = _Job(scan, model, options or PredictOptions(), control or Control())
    with crew(alone=job.device.type != "cpu") as workers:
        job.run(workers)
    return job.result()


def predict_slice(
    scan: Scan, model: LoadedModel, index: int, options: PredictOptions | None = None
) -> np.ndarray:
    """Structures of sagittal slice `index` of `scan.sagittal()` alone, for a preview.

    Returns (height, width) uint8, `Structure` numbers, on the slice's own grid.

    Raises
    ------
    IndexError
        If the scan has no such slice.
    """
    job = _Job(scan, model, options or PredictOptions(), Control())
    if not 0 <= index < len(job.slices):
        raise IndexError(f"{scan.name} has sagittal slices 0 to {len(job.slices) - 1}, not {index}")
    with threads(threads_for_one_slice()):
        job.look_at([index], job.plan.whole)
    return job.output.labels[index]


class _Clock:
    """Seconds a stage, added up over threads."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._busy: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._busy[stage] = self._busy.get(stage, 0.0) + time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Stages as parts of the time that went by: threads at work together share it."""
        share = min(1.0, (time.perf_counter() - self._started) / max(sum(self._busy.values()), 1e-9))
        return {stage: round(busy * share, 4) for stage, busy in self._busy.items()}


class _Job:
    """One scan through one model."""

    def __init__(self, scan: Scan, model: LoadedModel, options: PredictOptions, control: Control) -> None:
        self.model, self.options, self.control = model, options, control
        self.clock = _Clock()
        self.turn = scan.grid.to_orientation()
        volume, spacing = scan.sagittal(), self.turn.grid.spacing
        self.warnings: list[str] = []
        self.device = choose_device(options.device)
        spec = model.card.input
        self.slices = SagittalSlices(volume, spacing, spec, self.device)
        with self.clock("ready the network"):
            engine = self._engine(self.device)
        # Weak, or the job would hold itself, with all its slices, until Python looks for such rings.
        again = weakref.WeakMethod(self._engine)
        self.runner = Runner(engine, options.tile_px, spec.stride, lambda: again()(torch.device("cpu")))
        # Slices closer than any structure is thick need not each be asked about.
        step = max(1, round(_STEP_MM / spacing[0])) if options.crop else 1
        indices = sorted({*range(0, len(volume), step), len(volume) - 1})
        self.plan = Foreground(indices, self.slices.working_spacing, self.slices.padded, spec.stride)
        temperature = model.card.temperature if options.uncertainty else None
        numbers = np.array(output_structures(model.card), np.uint8)
        self.output = Output(volume.shape, self.slices.size, numbers, step, temperature)
        self._done, self._all = 0, len(indices)

    def run(self, workers: Crew) -> None:
        """Every slice: a few in full, the others where the spine can be."""
        plan = self.plan
        self._run_slices(plan.first, plan.whole, workers)
        if not self.options.crop or Structure.VERTEBRA.title not in self.model.card.structures:
            # Where one tumour is says nothing about where the next one is
            self._run_slices(plan.others, plan.whole, workers)
        else:
            self._run_slices(plan.worth_a_look(), plan.window(), workers)
            self._run_slices(plan.cut(), plan.whole, workers)
        with self.clock("resample back"):
            self.output.fill_between()
        self.control.step(STAGE, self._all, self._all)

    def _run_slices(self, indices: list[int], window: Window, workers: Crew) -> None:
        size = _GPU_BATCH if self.device.type == "cuda" else 1
        batches = [indices[at : at + size] for at in range(0, len(indices), size)]
        workers.run(lambda batch: self.look_at(batch, window), batches, self._batch_done)

    def look_at(self, indices: list[int], window: Window) -> None:
        """Predict some slices at once, seeing `window` of them (pixels of the network's padded grid)."""
        origin = window.top, window.left
        with torch.inference_mode():  # Here, since each thread has to say so for itself
            with self.clock("prepare"):
                seen = [i for i in indices if not self.slices.is_empty(i)]
                images = self.slices.stack(seen, window) if seen else None
            masks: dict[int, torch.Tensor | None] = dict.fromkeys(indices)
            if images is not None:
                with self.clock("network"):
                    logits = self._logits(images)
                with self.clock("resample back"):
                    for index, part in zip(seen, logits, strict=True):
                        masks[index] = self.output.add(index, part, origin)
            with self.clock("look for the spine"):
                for index, mask in masks.items():
                    self.plan.saw(index, mask, origin)

    def _batch_done(self, indices: list[int]) -> None:
        # The last step is told when the job is done: slices may be looked at a second time
        self._done = min(self._done + len(indices), self._all - 1)
        self.control.step(STAGE, self._done, self._all)

    def result(self) -> Prediction:
        """Back to the scan's own axes."""
        with self.clock("resample back"):
            structures = np.ascontiguousarray(self.turn.invert(self.output.labels))
            uncertainty = self.output.uncertainty
            if uncertainty is not None:
                uncertainty = np.ascontiguousarray(self.turn.invert(uncertainty))
        if self.slices.not_finite:
            self.warnings.append(
                "Some voxels are not numbers (NaN or infinite); they were taken as background."
            )
        engine = self.runner.engine
        warnings = (*self.warnings, *self.runner.warnings)
        return Prediction(
            structures, uncertainty, engine.device.type, engine.precision, self.clock.seconds(), warnings
        )

    def _engine(self, device: torch.device) -> Engine:
        width, stride = self.slices.padded[1], self.model.card.input.stride
        precision = safe_precision(self.options.precision, device, width, stride)
        return engine_for(self.model, device, precision, self._example)

    def _example(self) -> torch.Tensor:
        """The middle of the middle slice: enough to see whether a reduced precision agrees."""
        stride = self.model.card.input.stride
        sides = [max(stride, n // 2 // stride * stride) for n in self.slices.padded]
        top, left = ((n - side) // 2 for n, side in zip(self.slices.padded, sides, strict=True))
        window = Window(top, top + sides[0], left, left + sides[1])
        return self.slices.stack([len(self.slices) // 2], window)

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.runner.run(images, self.control.check)
        if self.options.mirror and self.model.card.input.neighbours:
            # Left and right are the one mirror image that a spine resembles; in sagittal slices
            # that is the order of the neighbours. Heads do not point down, nor spinous
            # processes forward, so the other flips would show the network what cannot be.
            logits = (logits + self.runner.run(images.flip(1), self.control.check)) / 2
        card = self.model.card
        if logits.shape[1] != len(card.structures):
            raise ModelError(
                f"Model {card.name} has {logits.shape[1]} outputs, but its card names "
                f"{len(card.structures)} structures."
            )
        if not torch.isfinite(logits.sum()):
            raise ModelError(f"Model {card.name} answers with what is not a number; its weights are damaged.")
        return logits
