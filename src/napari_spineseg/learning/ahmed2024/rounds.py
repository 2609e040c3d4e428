"""Validations so far: they set the learning rate, choose the checkpoint, and end the training.

Kept in a file of their own, so that a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_spineseg.core.train import Trainer
from napari_spineseg.files import write_whole
from napari_spineseg.progress import Control


class Enough(Exception):
    """Further training brings nothing, or the time is up."""


def plateau_rate(scores: list[float], first: float, patience: int, factor: float, least: float) -> float:
    """Learning rate after validations with these `scores`, higher is better.

    Multiplied by `factor` after every `patience` validations in a row that brought nothing.

    >>> plateau_rate([0.5, 0.6, 0.6, 0.6], 1e-3, 2, 0.5, 1e-6)
    0.0005
    """
    rate, best, waited = first, float("-inf"), 0
    for score in scores:
        if score > best:
            best, waited = score, 0
            continue
        waited += 1
        if waited == patience:
            rate, waited = max(least, rate * factor), 0
    return rate


@dataclass
class Rounds:
    """What validations said, by step.

    Parameters
    ----------
    path
        Where they are kept.
    early_stop
        Validations in a row without a better one after which training ends; 0: never.
    limit_s
        Seconds of training, over all sittings, after which it ends; 0: never.
    """

    path: Path
    early_stop: int = 0
    limit_s: float = 0.0
    entries: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take up what an earlier sitting left."""
        if self.path.exists():
            self.entries = json.loads(self.path.read_text())
        self._started = time.monotonic() - (self.entries[-1]["seconds"] if self.entries else 0.0)

    def forget_after(self, step: int) -> None:
        """Drop what a resumed training will see again."""
        self.entries = [e for e in self.entries if e["step"] <= step]

    @property
    def scores(self) -> list[float]:
        """Mean IoU at each validation."""
        return [e["mean_iou"] for e in self.entries]

    @property
    def best(self) -> dict[str, Any]:
        """The first of the best validations."""
        return max(self.entries, key=lambda e: e["mean_iou"])

    def add(self, step: int, figures: dict[str, Any], keep: Callable[[], object]) -> dict[str, Any]:
        """Note a validation; `keep` is called first if it is the best so far."""
        if not self.entries or figures["mean_iou"] > max(self.scores):
            keep()
        entry = {"step": step, "seconds": round(time.monotonic() - self._started, 1), **figures}
        self.entries.append(entry)
        text = json.dumps(self.entries)
        write_whole(self.path, text)
        return entry

    def check(self) -> None:
        """Raise `Enough` where training is to end."""
        if not self.entries:
            return
        since_best = len(self.entries) - 1 - self.entries.index(self.best)
        if self.early_stop and since_best >= self.early_stop:
            raise Enough(f"no better for {since_best} validations")
        if self.limit_s and self.entries[-1]["seconds"] >= self.limit_s:
            raise Enough("the time is up")


class RoundsTrainer(Trainer):
    """The trainer, ended by what its validations say.

    `rate`, if given, makes the learning rate from the scores so far; otherwise the schedule stays.
    """

    rounds: Rounds
    rate: Callable[[list[float]], float] | None = None

    def learning_rate(self, step: int) -> float:
        """The optimiser's rate for this step."""
        return super().learning_rate(step) if self.rate is None else self.rate(self.rounds.scores)

    def note(self, figures: dict[str, Any], keep: Callable[[], object]) -> dict[str, Any]:
        """Keep the state, note a validation, and raise `Enough` where training is to end."""
        self._save()
        entry = self.rounds.add(self.step, figures, keep)
        self.rounds.check()
        return entry

    def run_rounds(self, rounds: Rounds, control: Control) -> None:
        """Train until the last step, or until `rounds` have had enough."""
        self.rounds = rounds
        rounds.forget_after(self.step)
        try:
            rounds.check()
            self.run(control)
        except Enough as why:
            self.log(kind="end", why=str(why))
