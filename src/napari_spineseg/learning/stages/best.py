"""The best weights of a run so far, whole on disk, with what they scored.

What is held back of one or two corrected scans says early on that no more is to be gained, while scans of
other patients still gain (benchmarks/learning_efficiency.md). So of weights that score alike the later ones
are better, and training goes on to its end unless it does harm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard, load_model, save_model
from napari_spineseg.io.write import put
from napari_spineseg.learning.run.events import Scores

_FILE = "best.json"
# What is lost on the guard beyond this counts against what is won on the corrections, this many times.
_FREE_LOSS, _COST = 0.002, 3.0
# Scores this near to each other are alike.
_ALIKE = 0.003
# Training is over when so many comparisons in a row were worse than the best.
_PATIENCE = 3
# But never before this share of its steps.
_AT_LEAST = 0.5


class Best:
    """What *Stop and keep best* would keep.

    Attributes
    ----------
    step
        Where the best weights come from; 0 while there are none.
    finished
        Whether training is over.
    """

    def __init__(self, folder: Path, card: ModelCard) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._card = folder, card
        self._state: dict[str, Any] = {
            "step": 0,
            "score": None,
            "worse": 0,
            "guard": None,
            "finished": False,
        }
        if (folder / _FILE).exists():
            self._state |= json.loads((folder / _FILE).read_text())

    @property
    def step(self) -> int:
        """Where the best weights come from; 0 while there are none."""
        return int(self._state["step"])

    @property
    def finished(self) -> bool:
        """Whether training is over."""
        return bool(self._state["finished"])

    def parent(self, guard: Scores) -> None:
        """What the parent scored: the guard is compared with it."""
        self._state["guard"] = guard.get("mean")
        self._save()

    def offer(self, step: int, network: nn.Module, held: Scores, guard: Scores) -> bool:
        """Keep `network` if none so far is better; says whether it was kept."""
        score = self._score(held, guard)
        best = self._state["score"]
        if best is not None and score < best - _ALIKE:
            self._state["worse"] += 1
            self._save()
            return False
        self.take(step, network, score if best is None else max(score, best))
        return True

    def take(self, step: int, network: nn.Module, score: float | None = None) -> None:
        """Keep `network`, whatever it scored; `score` is what later ones are compared with."""
        name = f"best_{step}.safetensors"
        save_model(network, self._card, self._folder / name)
        before = self._state.get("file")
        self._state |= {"step": step, "score": score, "file": name, "worse": 0}
        self._save()
        if before and before != name:
            for old in (self._folder / before, (self._folder / before).with_suffix(".json")):
                old.unlink(missing_ok=True)

    def worn_out(self, step: int, steps: int) -> bool:
        """Whether going on is not worth it."""
        return step >= _AT_LEAST * steps and int(self._state["worse"]) >= _PATIENCE

    def finish(self) -> None:
        """Training is over: a resume goes on after it."""
        self._state["finished"] = True
        self._save()

    def load(self) -> LoadedModel:
        """The best weights.

        Raises
        ------
        ModelError
            If there are none.
        """
        return load_model(self._folder / str(self._state.get("file")))

    def _score(self, held: Scores, guard: Scores) -> float:
        lost = (self._state["guard"] or 0.0) - (guard.get("mean") or 0.0)
        return (held.get("mean") or 0.0) - _COST * max(0.0, lost - _FREE_LOSS)

    def _save(self) -> None:
        put(self._folder / _FILE, json.dumps(self._state).encode())
