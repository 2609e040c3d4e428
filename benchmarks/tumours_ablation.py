"""What pre-training and the optimiser do for PENN: same number of steps for all, several seeds.

    python -m benchmarks.tumours_ablation --data PREPARED [--seeds N] [--steps N] [-o FILE]

A small network on 64 mm patches at 1 mm, so that it runs on a processor. Patches are drawn once and
shared by all arms; held-out patients' patches are scored. Arms without a stage train that much longer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from napari_spineseg.learning.recipe import find_recipe, read_recipe
from napari_spineseg.learning.tumour.figures import patch_figures
from napari_spineseg.learning.tumour.patch import PatchSettings
from napari_spineseg.learning.tumour.patches import PatchBatch, PatchSampler
from napari_spineseg.learning.tumour.pretrain import split
from napari_spineseg.learning.tumour.recipe import TumourSettings
from napari_spineseg.learning.tumour.stages import train_stages

POOL_SEED, HELD_SEED, HELD_BATCHES = 5, 6, 6
ARMS = {
    "enhanced SGD, both stages": ("enhanced_sgd", 0.05, 0.15, 0.15),
    "enhanced SGD, reconstruction only": ("enhanced_sgd", 0.05, 0.15, 0.0),
    "enhanced SGD, classification only": ("enhanced_sgd", 0.05, 0.0, 0.15),
    "enhanced SGD, no pre-training": ("enhanced_sgd", 0.05, 0.0, 0.0),
    "plain SGD, both stages": ("sgd", 0.05, 0.15, 0.15),
    "AdamW, both stages": ("adamw", 0.003, 0.15, 0.15),
    "AdamW, no pre-training": ("adamw", 0.003, 0.0, 0.0),
}
"""Optimiser, learning rate, and the shares of the steps that reconstruction and classification take."""


class Pool:
    """Patches that were drawn before; a batch is some of them, by the step and the seed."""

    def __init__(self, patches: PatchBatch, seed: int) -> None:
        self.patches, self.seed = patches, seed

    def batch(self, step: int, count: int) -> PatchBatch:
        chosen = np.random.default_rng([self.seed, step]).integers(0, len(self.patches.image), count)
        p = self.patches
        return PatchBatch(p.image[chosen], p.target[chosen], p.anatomy[chosen], p.kind[chosen])


def settings_of(base: TumourSettings, arm: str, seed: int, steps: int) -> TumourSettings:
    name, rate, reconstruct, classify = ARMS[arm]
    stages = [round(share * steps) for share in (reconstruct, classify)]
    train = base.train.model_copy(
        update={
            "seed": seed,
            "optimiser": name,
            "learning_rate": rate,
            "steps": steps - sum(stages),
            "stop_after": None,
            "batch": 12,
            "warm_up": 20,
            "average": 0.0 if name == "sgd" else 0.98,
            "validate_every": steps,
            "save_every": steps,
        }
    )
    return base.model_copy(
        update={
            "arguments": {"in_channels": 3, "classes": 2, "widths": [16, 32, 64, 96]},
            "reconstruct_steps": stages[0],
            "classify_steps": stages[1],
            "train": train,
            "last": None,
            "finish": (),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--pool", type=int, default=1500, help="training patches")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/tumours_ablation.json"))
    parser.add_argument("arms", nargs="*", default=list(ARMS))
    arguments = parser.parse_args()
    base = read_recipe(find_recipe("tumour"), TumourSettings)
    volumes, held = split(base, arguments.data)
    patches = PatchSettings(pixel_mm=1.0, sizes_px=(64,))
    pool = PatchSampler(volumes, patches, POOL_SEED).draw(0, arguments.pool)
    held_out = [PatchSampler(held, patches, HELD_SEED).draw(step, 24) for step in range(HELD_BATCHES)]
    rows = []
    # Seed by seed, so that what there was time for compares like with like
    for seed in range(1, arguments.seeds + 1):
        for arm in arguments.arms:
            start = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                network = train_stages(
                    settings_of(base, arm, seed, arguments.steps),
                    volumes,
                    Path(folder),
                    sampler_of=lambda _, __, number: Pool(pool, number),
                )
            figures = patch_figures(network, held_out)
            rows.append({"arm": arm, "seed": seed, "cpu_s": round(time.process_time() - start, 1), **figures})
            print(rows[-1], flush=True)
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(rows, indent=1) + "\n")
    for arm in arguments.arms:
        dice = [row["dice"] for row in rows if row["arm"] == arm]
        print(f"| {arm} | {statistics.mean(dice):.3f} | {min(dice):.3f} to {max(dice):.3f} |")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
