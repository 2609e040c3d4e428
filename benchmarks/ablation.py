"""What each idea of the default recipe earns: short trainings from real slices alone upward, same budget.

    python -m benchmarks.ablation PREPARED -o RUNS [--steps N] [--seeds N] [--only RUNG...]

PREPARED is what `spineseg dataset prepare` made. Each rung has what those above it have and one idea
more; each rung and seed is a training of its own under RUNS, taken up again where it was left. The last
rung is the one before it, asked twice. The table goes to RUNS/ablation.md. Scored on the validation
patients (`val`, T2 SPACE) and on the thick-slice T2 volume (`t2`), never on another set. Dice is read
off evenly spread slices.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_spineseg.core.augment import AugmentSettings
from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.datasets.prepared import load_prepared
from napari_spineseg.learning.pretrain import pretrain, validation_dice
from napari_spineseg.learning.recipe import PretrainSettings, find_recipe, read_recipe

SETS = ("val", "t2")
STRUCTURES = ("vertebra", "disc", "spinal canal")
SLICES = 6
MIRRORING = "mirroring"
RUNGS = (
    "real slices only",
    "augmentation",
    "synthesis",
    "through-plane context",
    "weight averaging",
    MIRRORING,
)

_STILL = AugmentSettings(
    rotation_deg=0, scale=1, shear=0, warp_mm=0, remap_share=0, blur_share=0, noise=0, bias=0
)


def up_to(recipe: PretrainSettings, rung: str) -> PretrainSettings:
    """The recipe with the ideas up to `rung`, and none of those after it."""
    missing = RUNGS[RUNGS.index(rung) + 1 :]
    if "augmentation" in missing:
        recipe = _with_crops(recipe, augment=_STILL)
    if "synthesis" in missing:
        recipe = _with_crops(recipe, synthetic_share=0.0)
    if "through-plane context" in missing:
        recipe = _with_crops(recipe, neighbours=0).model_copy(
            update={
                "input": recipe.input.model_copy(update={"neighbours": 0}),
                "arguments": recipe.arguments | {"in_channels": 1},
            }
        )
    if "weight averaging" in missing:
        recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"average": 0.0})})
    return recipe


def _with_crops(recipe: PretrainSettings, **changes: Any) -> PretrainSettings:
    return recipe.model_copy(update={"crops": recipe.crops.model_copy(update=changes)})


def shortened(recipe: PretrainSettings, steps: int, seed: int) -> PretrainSettings:
    """The recipe's first stage alone, with its schedule over `steps`."""
    train = recipe.train.model_copy(
        update={
            "steps": steps,
            "stop_after": None,
            "seed": seed,
            "warm_up": min(recipe.train.warm_up, steps // 10),
            "validate_every": steps,
        }
    )
    return recipe.model_copy(
        update={
            "train": train,
            "then": (),
            "blend": (),
            "validation_folders": SETS,
            "validation_slices": SLICES,
            "name": "ablated",
        }
    )


class Mirrored(nn.Module):
    """A network asked twice, the second time with left and right swapped, as `--mirror` does."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return (self.network(image) + self.network(image.flip(1))) / 2


def run(rung: str, seed: int, steps: int, prepared: Path, out: Path) -> dict[str, Any]:
    """Figures of one training; read, if it was finished before."""
    trained = RUNGS[-2] if rung == MIRRORING else rung
    folder = out / trained.replace(" ", "-") / f"{steps}-steps-seed{seed}"
    result = folder / ("mirrored.json" if rung == MIRRORING else "result.json")
    if not result.exists():
        recipe = shortened(up_to(read_recipe(find_recipe("lumbar")), trained), steps, seed)
        figures = (
            _mirrored(recipe, prepared, folder)
            if rung == MIRRORING
            else pretrain(recipe, prepared, folder).figures["validation"]
        )
        result.write_text(json.dumps({name: figures[name] for name in SETS}))
    return json.loads(result.read_text())


def _mirrored(recipe: PretrainSettings, prepared: Path, folder: Path) -> dict[str, Any]:
    network = Mirrored(load_model(folder / f"{recipe.name}.safetensors").network).eval()
    return {
        name: validation_dice(network, load_prepared(prepared / name), recipe.input, SLICES) for name in SETS
    }


def as_table(results: dict[str, list[dict[str, Any]]], steps: int) -> str:
    """Mean Dice over seeds, and between them half of the largest difference."""
    heads = [f"{name}: {structure}" for name in SETS for structure in STRUCTURES]
    lines = [
        f"{steps} steps each. Dice, mean over seeds ± half of what lies between the seeds.",
        "",
        "| with | seeds | " + " | ".join(heads) + " |",
        "| --- " * (2 + len(heads)) + "|",
    ]
    for rung, seeds in results.items():
        name = rung if rung == RUNGS[0] else f"+ {rung}"
        lines.append(f"| {name} | {len(seeds)} | " + " | ".join(_cells(seeds)) + " |")
    return "\n".join(lines) + "\n"


def _cells(seeds: list[dict[str, Any]]) -> list[str]:
    cells = []
    for name in SETS:
        for structure in STRUCTURES:
            values = [s[name][structure] for s in seeds if s[name][structure] is not None]
            spread = f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.3f}{spread}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("prepared", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=RUNGS, default=RUNGS)
    arguments = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    # Seed by seed, so that a table of all ideas is there as soon as possible.
    for seed in range(arguments.seeds):
        for rung in arguments.only:
            figures = run(rung, seed, arguments.steps, arguments.prepared, arguments.output)
            results.setdefault(rung, []).append(figures)
            print(f"{rung}, seed {seed}: {json.dumps(figures)}", flush=True)
            (arguments.output / "ablation.md").write_text(as_table(results, arguments.steps))
    print((arguments.output / "ablation.md").read_text())


if __name__ == "__main__":
    main()
