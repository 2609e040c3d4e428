"""What benchmarks of learning share: runs that are not done twice, each in a home of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.device import choose_precision
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.learning.reading import Reader
from napari_spineseg.learning.run.events import VerdictEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.session import Session
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models import get_model


def read_lines(path: Path) -> list[dict]:
    """One object a run; none where there is no file yet."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_once(path: Path, key: dict, measure: Callable[[], dict]) -> None:
    """Add a line with `key` and what `measure` returns, unless there is one with this key."""
    if any(key.items() <= line.items() for line in read_lines(path)):
        return
    line = json.dumps(key | measure())
    with path.open("a") as file:
        file.write(line + "\n")
    print(line, flush=True)


def reader_of(weights: Path) -> Reader:
    """What a network says of prepared volumes, on the processor."""
    model, device = load_model(weights), torch.device("cpu")
    return Reader(model.network, model.card.input, device, choose_precision(device))


def learn_from(
    fill: Callable[[CorrectionsStore], None], model: str, seed: int, work: Path, name: str
) -> tuple[VerdictEvent, Path]:
    """Fill an empty store and learn from it as `spineseg learn` does; the verdict and the new weights.

    Of the home it happens in, `work/home-<name>`, only the weights are kept, as `work/<name>.safetensors`.
    """
    home = work / f"home-{name}"
    shutil.rmtree(home, ignore_errors=True)
    os.environ["SPINESEG_HOME"] = str(home)
    store = CorrectionsStore(home / "corrections", create=True)
    fill(store)
    settings = LearnSettings(corrections=store.path, model=model, seed=seed, device="cpu")
    verdict = Session(RunFolder.create(settings), lambda event: None, lambda: "").run()
    weights, final = get_model(verdict.key).weights, work / f"{name}.safetensors"
    for suffix in (".safetensors", ".json"):
        shutil.copyfile(weights.with_suffix(suffix), final.with_suffix(suffix))
    del os.environ["SPINESEG_HOME"]
    shutil.rmtree(home)
    return verdict, final
