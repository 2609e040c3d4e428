"""A scan and a model in, structures on the scan's own grid out.

Slices go through the network one by one: a small working set that stays near the processor is
faster than one large batch, and memory grows with the scan's labels only. Whatever orientation
the scan has, the network sees sagittal slices, and what comes out fits the scan that went in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import LoadedModel
from napari_spineseg.core.device import DeviceName, PrecisionName, choose_device, sensible_threads
from napari_spineseg.core.engine import Engine, Runner, engine_for
from napari_spineseg.core.foreground import CoarsePass
from napari_spineseg.core.resample import Window, interpolate_window, window_of
from napari_spineseg.core.sagittal import SagittalSlices
from napari_spineseg.core.uncertainty import entropy
from napari_spineseg.errors import ModelError
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

STAGE = "Segmenting"
_GPU_BATCH = 8
# A slice axis this much finer than another one was not acquired sagittally.
_THICK = 1.5
# How far, in pixels of the network's grid, interpolation may carry foreground.
_RIM = 2


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
    scan: Scan, model: LoadedModel, options: PredictOptions = PredictOptions(), control: Control | None = None
) -> Prediction:
    """Find the structures of `scan`.

    Raises
    ------
    SettingsError
        If the device is not there.
    ModelError
        If the card names structures that do not exist or the network does not fit its card.
    Stopped
        If `control` said so, at the latest one tile after it did.
    """
    control = control or Control()
    with torch.inference_mode(), sensible_threads():
        job = _Job(scan, model, options, control)
        job.run()
        return job.result()


def predict_slice(
    scan: Scan, model: LoadedModel, index: int, options: PredictOptions = PredictOptions()
) -> np.ndarray:
    """Structures of sagittal slice `index` of `scan.sagittal()` alone, for a preview.

    Returns (height, width) uint8, `Structure` numbers, on the slice's own grid.

    Raises
    ------
    IndexError
        If the scan has no such slice.
    """
    with torch.inference_mode(), sensible_threads():
        job = _Job(scan, model, options, Control())
        if not 0 <= index < len(job.slices):
            raise IndexError(f"{scan.name} has sagittal slices 0 to {len(job.slices) - 1}, not {index}")
        job.run_slices([index], job.whole)
        return job.labels[index]


@dataclass
class _Clock:
    """Seconds a stage, added up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


class _Job:
    """One scan through one model."""

    def __init__(self, scan: Scan, model: LoadedModel, options: PredictOptions, control: Control) -> None:
        self.model, self.options, self.control = model, options, control
        self.clock = _Clock()
        self.turn = scan.grid.to_orientation()
        self.volume, self.spacing = scan.sagittal(), self.turn.grid.spacing
        self.warnings = _geometry_warnings(self.spacing)
        self.numbers = _structure_numbers(model)
        device = choose_device(options.device)
        self.slices = SagittalSlices(self.volume, self.spacing, model.card.input, device)
        with self.clock("ready the network"):
            engine = self._engine(device)
        self.runner = Runner(
            engine, options.tile_px, model.card.input.stride, lambda: self._engine(torch.device("cpu"))
        )
        self.labels = np.zeros(self.volume.shape, np.uint8)
        self.uncertainty = np.zeros(self.volume.shape, np.float16) if options.uncertainty else None
        self.whole = Window(0, self.slices.padded[0], 0, self.slices.padded[1])
        self.found: dict[int, Window] = {}
        self._steps = len(self.slices) * self.runner.tiles(*self.slices.padded)
        self._done = 0

    def run(self) -> None:
        """Every slice: a few in full, the others where the spine can be."""
        spec = self.model.card.input
        coarse = CoarsePass(
            self.slices, spec, enabled=self.options.crop and "vertebra" in self.model.card.structures
        )
        self.run_slices(coarse.first, self.whole)
        window = coarse.window(self.found)
        self.run_slices([i for i in range(len(self.slices)) if i not in self.found], window)
        again = [i for i, found in self.found.items() if i not in coarse.first and coarse.cut(found, window)]
        self.run_slices(again, self.whole)

    def run_slices(self, indices: list[int], window: Window) -> None:
        """Predict slices, looking only into `window` (pixels of the network's padded grid)."""
        batch = _GPU_BATCH if self.runner.engine.device.type == "cuda" else 1
        for at in range(0, len(indices), batch):
            some = indices[at : at + batch]
            with self.clock("prepare"):
                seen = [i for i in some if not self.slices.is_empty(i)]
                images = self.slices.stack(seen)[:, :, *window.slices] if seen else None
            self.found.update(dict.fromkeys(some, Window(0, 0, 0, 0)))
            if images is not None:
                with self.clock("network"):
                    logits = self._logits(images)
                with self.clock("resample back"):
                    for index, part in zip(seen, logits, strict=True):
                        self._write(index, part, window)
            self._slices_done(len(some))

    def result(self) -> Prediction:
        """Back to the scan's own axes."""
        with self.clock("resample back"):
            structures = np.ascontiguousarray(self.turn.invert(self.labels))
            uncertainty = self.uncertainty
            if uncertainty is not None:
                uncertainty = np.ascontiguousarray(self.turn.invert(uncertainty))
        if self.slices.not_finite:
            self.warnings.append(
                "Some voxels are not numbers (NaN or infinite); they were taken as background."
            )
        engine = self.runner.engine
        seconds = {stage: round(s, 4) for stage, s in self.clock.seconds.items()}
        warnings = (*self.warnings, *self.runner.warnings)
        return Prediction(structures, uncertainty, engine.device.type, engine.precision, seconds, warnings)

    def _engine(self, device: torch.device) -> Engine:
        middle = len(self.volume) // 2
        return engine_for(self.model, device, self.options.precision, lambda: self.slices.stack([middle]))

    def _logits(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.runner.run(images, self._tile_done)
        if self.options.mirror and self.model.card.input.neighbours:
            # Left and right are the one mirror image that a spine resembles; in sagittal slices
            # that is the order of the neighbours. Heads do not point down, nor spinous
            # processes forward, so the other flips would show the network what cannot be.
            logits = (logits + self.runner.run(images.flip(1), self._tile_done)) / 2
        if logits.shape[1] != len(self.numbers):
            card = self.model.card
            raise ModelError(
                f"Model {card.name} has {logits.shape[1]} outputs but its card names {len(self.numbers)} structures."
            )
        return logits

    def _write(self, index: int, logits: torch.Tensor, window: Window) -> None:
        """Put one slice's answer, (classes, h, w) logits of `window`, onto the scan's grid."""
        source, target = self.slices.size, self.volume.shape[1:]
        logits = logits[:, : source[0] - window.top, : source[1] - window.left]
        origin = window.top, window.left
        here = window_of(logits.argmax(0) > 0)
        if self.uncertainty is not None:
            all_of_it = Window(0, logits.shape[1], 0, logits.shape[2])
            self._write_uncertainty(index, logits, origin, all_of_it)
        if here.empty:
            return
        found = Window(
            here.top + origin[0], here.bottom + origin[0], here.left + origin[1], here.right + origin[1]
        )
        self.found[index] = found
        wanted = found.grown(_RIM, _RIM, *source).scaled(source, target)
        probabilities = logits.softmax(0)
        on_scan = interpolate_window(probabilities, origin, source, target, wanted)
        self.labels[index][wanted.slices] = self.numbers[on_scan.argmax(0).cpu().numpy()]

    def _write_uncertainty(
        self, index: int, logits: torch.Tensor, origin: tuple[int, int], part: Window
    ) -> None:
        source, target = self.slices.size, self.volume.shape[1:]
        unsure = entropy((logits / self.model.card.temperature).softmax(0))[None]
        there = Window(origin[0], origin[0] + part.bottom, origin[1], origin[1] + part.right).scaled(
            source, target
        )
        values = interpolate_window(unsure, origin, source, target, there)[0]
        self.uncertainty[index][there.slices] = values.clamp(0, 1).cpu().numpy()

    def _tile_done(self) -> None:
        self.control.check()

    def _slices_done(self, count: int) -> None:
        self._done = min(self._done + count, len(self.slices))
        self.control.step(STAGE, self._done, len(self.slices))


def _structure_numbers(model: LoadedModel) -> np.ndarray:
    """(classes,) uint8: the `Structure` that each output of the network stands for."""
    known = {structure.title: structure for structure in Structure} | {s.name.lower(): s for s in Structure}
    for name in model.card.structures:
        if name not in known:
            raise ModelError(f"Model {model.card.name} names a structure {name!r} that is not known here.")
    return np.array([known[name] for name in model.card.structures], np.uint8)


def _geometry_warnings(spacing: tuple[float, float, float]) -> list[str]:
    """A sentence where a scan's slices do not run sagittally."""
    across, down, back = spacing
    if max(down, back) < _THICK * across or max(down, back) < _THICK * min(spacing):
        return []
    plane = "axial" if down >= back else "coronal"
    return [
        f"The scan has thick {plane} slices ({max(down, back):.1f} mm); the model reads sagittal ones, so borders "
        "will be coarse and some structures may be missed."
    ]
