"""The training loop: one for every network, resumable after a kill, deterministic by seed.

It asks for batches by step number, keeps a running average of the weights (which is what is
validated and shipped), and writes its whole state as safetensors and JSON, never as a pickle.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import nn

from napari_spineseg.core.device import PrecisionName, precision_name, training_precision
from napari_spineseg.files import write_whole
from napari_spineseg.progress import Control


class TrainSettings(BaseModel):
    """How a network is trained, whatever the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    steps: int = Field(4000, gt=0, title="Steps")
    stop_after: int | None = Field(None, gt=0, description="leave the schedule here: a later stage goes on")
    batch: int = Field(8, gt=0, title="Samples a step")
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warm_up: int = Field(100, ge=0, title="Steps of warm-up")
    average: float = Field(0.998, ge=0, lt=1, description="decay of the running average of the weights")
    clip: float = Field(5.0, gt=0, description="largest gradient norm")
    validate_every: int = Field(250, gt=0)
    save_every: int = Field(100, gt=0)

    @property
    def last_step(self) -> int:
        """The step that training ends with."""
        return self.steps if self.stop_after is None else min(self.steps, self.stop_after)


class Example(Protocol):
    """image: (batch, channels, H, W), and whatever the loss needs besides."""

    image: torch.Tensor

    def to(self, device: torch.device) -> Example:
        """The same example on a device."""


class Trainer:
    """Trains `network` in place; `trainer.averaged` is what to keep.

    Parameters
    ----------
    batches
        Step number to batch.
    loss
        (float32 logits, example) to a scalar.
    folder
        Where state and log go; a state found there is resumed.
    validate
        Averaged network to figures, JSON-able.
    precision
        What convolutions are computed in; weights, norms' statistics and loss stay in float32.
    """

    def __init__(
        self,
        network: nn.Module,
        batches: Callable[[int], Example],
        loss: Callable[[torch.Tensor, Any], torch.Tensor],
        settings: TrainSettings,
        folder: Path,
        validate: Callable[[nn.Module], dict[str, Any]] | None = None,
        device: torch.device | str = "cpu",
        precision: PrecisionName = "auto",
    ) -> None:
        self.settings, self.folder, self.device = settings, folder, torch.device(device)
        self.dtype = training_precision(self.device, precision)
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._loss, self._validate = loss, validate
        self._ahead = _Ahead(batches)
        self.optimizer = self.make_optimizer()
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "state.json").exists():
            self._resume()

    def run(self, control: Control = Control()) -> nn.Module:
        """Train to the last step and return the averaged network. Stopping keeps the state."""
        started, running = time.perf_counter(), []
        while self.step < self.settings.last_step:
            control.check()
            running.append(self.advance())
            last = self.step == self.settings.last_step
            if self.step % self.settings.save_every == 0 or last:
                seconds = (time.perf_counter() - started) / len(running)
                self.log(
                    kind="train",
                    loss=sum(running) / len(running),
                    step_seconds=round(seconds, 3),
                    precision=precision_name(self.dtype),
                )
                started, running = time.perf_counter(), []
                self._save()
            if self._validate and (self.step % self.settings.validate_every == 0 or last):
                self.log(kind="validation", **self._validate(self.averaged))
                started, running = time.perf_counter(), []
            control.step("Training", self.step, self.settings.last_step)
        return self.averaged

    def advance(self) -> float:
        """Take one step; its loss."""
        loss = self._train_step(self._ahead.batch(self.step))
        self.step += 1
        return loss

    def make_optimizer(self) -> torch.optim.Optimizer:
        """What takes the steps."""
        s = self.settings
        return torch.optim.AdamW(
            self.network.parameters(), s.learning_rate, weight_decay=s.weight_decay, fused=True
        )

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to a hundredth."""
        s = self.settings
        if step < s.warm_up:
            return s.learning_rate * (step + 1) / s.warm_up
        share = (step - s.warm_up) / max(1, s.steps - s.warm_up)
        return s.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))

    def log(self, **entry: Any) -> None:
        """Append one line to `log.jsonl`."""
        entry = {"step": self.step, "time": round(time.time(), 1), **entry}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")

    def _train_step(self, batch: Example) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.step)
        batch = batch.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            logits = self.network(batch.image)
        loss = self._loss(logits.float(), batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimizer.step()
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # Early weights are forgotten quickly, or the average would drag the start along.
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for kept, new in zip(
            self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True
        ):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def _save(self) -> None:
        tensors = {f"network/{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"averaged/{k}": v for k, v in self.averaged.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{k}": v for k, v in state.items()}
        tensors = {k: v.cpu().contiguous() for k, v in tensors.items()}
        write_whole(self.folder / f"state_{self.step % 2}.safetensors", lambda p: save_file(tensors, p))
        text = json.dumps({"step": self.step, "file": f"state_{self.step % 2}.safetensors"})
        write_whole(self.folder / "state.json", text)

    def _resume(self) -> None:
        state = json.loads((self.folder / "state.json").read_text())
        tensors = load_file(self.folder / state["file"])
        for name, module in (("network", self.network), ("averaged", self.averaged)):
            module.load_state_dict(_part(tensors, name))
        optimizer = self.optimizer.state_dict()
        for key, value in _part(tensors, "optimizer").items():
            index, name = key.split("/")
            # The fused optimizer walks memory: its moments must lie as the weights do.
            laid_out = value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
            optimizer["state"].setdefault(int(index), {})[name] = laid_out
        self.optimizer.load_state_dict(optimizer)
        self.step = state["step"]


class _Ahead:
    """Makes the next batch in a thread while the network works on this one."""

    def __init__(self, batches: Callable[[int], Example]) -> None:
        self._batches = batches
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._next: tuple[int, Future[Example]] | None = None

    def batch(self, step: int) -> Example:
        if self._next is None or self._next[0] != step:
            self._next = (step, self._pool.submit(self._batches, step))
        batch = self._next[1].result()
        self._next = (step + 1, self._pool.submit(self._batches, step + 1))
        return batch


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(f"{prefix}/"): v for k, v in tensors.items() if k.startswith(f"{prefix}/")}
