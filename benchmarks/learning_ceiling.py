"""What could be learnt of a kind of scan at all: beside it stands what some corrected scans teach.

The bundled model goes on learning from every training patient's scan of a kind (`learning_kinds`), or from as
many as `learning_efficiency` would take, with their reference labels, no guard, no replay and no pull to what
it was, for as many steps as are asked for. It is scored as `learning_efficiency` scores, on six patients that
neither saw, once, at the end.

    python -m benchmarks.learning_ceiling PREPARED --work DIR [--kinds ...] [--steps 500] [--scans N]

Each run adds a line to DIR/ceilings.jsonl and is not done again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.learning_efficiency import Bench
from benchmarks.learning_kinds import KINDS
from benchmarks.learning_runs import run_once
from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.core.checkpoint import load_model, save_model
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.train import Trainer, TrainSettings
from napari_spineseg.datasets.crops import CropSampler, CropSettings
from napari_spineseg.memory import keep_memory

_SEED = 0
# As for corrections: what is to be learnt of an image is not blurred, spoiled or recoloured once more.
_CROPS = CropSettings(
    synthetic_share=0,
    neighbour_mm=(3.0, 5.0),
    augment=AugmentSettings(rotation_deg=6, scale=1.1, shear=0.05, warp_mm=1.5, remap_share=0, noise=0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--scans", type=int, help="as many, drawn as seed 0 of learning_efficiency does")
    words = parser.parse_args()
    words.work.mkdir(parents=True, exist_ok=True)
    keep_memory()
    bench = Bench(words.prepared, words.work)
    scans = words.scans or len(bench.train)
    for kind in words.kinds:
        key = {"kind": kind, "steps": words.steps, "scans": scans, "model": bench.model.sha256[:12]}
        run_once(words.work / "ceilings.jsonl", key, lambda k=kind: ceiling(bench, k, words.steps, scans))


def ceiling(bench: Bench, kind: str, steps: int, scans: int) -> dict:
    """Learn from scans of a kind, and score what came of it."""
    model = load_model(bench.model.weights)
    order = np.random.default_rng(_SEED).permutation(len(bench.train))
    sampler = CropSampler([KINDS[kind](bench.train[n], n) for n in order[:scans]], _CROPS, _SEED)
    folder = bench.work / f"ceiling-{kind}-{scans}-{steps}".replace(" ", "_")
    settings = TrainSettings(seed=_SEED, steps=steps, learning_rate=1e-3, warm_up=30, average=0.99)
    trainer = Trainer(
        model.network,
        lambda step: sampler.batch(step, settings.batch),
        lambda logits, batch: cross_entropy_dice(logits, batch.target, batch.weight),
        settings,
        folder,
    )
    weights = folder / "model.safetensors"
    save_model(trainer.run(), model.card, weights)
    return bench.score(weights, kind)


if __name__ == "__main__":
    main()
