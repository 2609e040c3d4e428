"""What each idea of the default recipe is worth: short trainings with and without it, same budget.

    python -m benchmarks.ablation PREPARED -o RUNS [--steps N] [--seeds N] [--only VARIANT...]

PREPARED is what `spineseg dataset prepare` made. Each variant and seed is a training of its own under
RUNS, taken up again where it was left; the table goes to RUNS/ablation.md. Scored on the validation
patients (`val`, T2 SPACE) and on the thick-slice T2 volume (`t2`), never on another set. Dice is read
off evenly spread slices.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from napari_spineseg.learning.pretrain import PretrainSettings, find_recipe, pretrain, read_recipe

SETS = ("val", "t2")
STRUCTURES = ("vertebra", "disc", "spinal canal")
SLICES = 6


def without(recipe: PretrainSettings, idea: str) -> PretrainSettings:
    """The recipe with one idea taken out."""
    crops, augment = recipe.crops, recipe.crops.augment
    match idea:
        case "nothing":
            return recipe
        case "synthetic volumes":
            crops = crops.model_copy(update={"synthetic_share": 0.0})
        case "contrast remapping":
            crops = crops.model_copy(update={"augment": augment.model_copy(update={"remap_share": 0.0})})
        case "neighbours":
            crops = crops.model_copy(update={"neighbours": 0})
            fed = recipe.input.model_copy(update={"neighbours": 0})
            recipe = recipe.model_copy(
                update={"input": fed, "arguments": recipe.arguments | {"in_channels": 1}}
            )
        case "weight averaging":
            return recipe.model_copy(update={"train": recipe.train.model_copy(update={"average": 0.0})})
        case _:
            raise ValueError(idea)
    return recipe.model_copy(update={"crops": crops})


IDEAS = ("nothing", "synthetic volumes", "contrast remapping", "neighbours", "weight averaging")


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
            "validation_folders": SETS,
            "validation_slices": SLICES,
            "name": "ablated",
        }
    )


def run(idea: str, seed: int, steps: int, prepared: Path, out: Path) -> dict[str, Any]:
    """Figures of one training; read, if it was finished before."""
    folder = out / idea.replace(" ", "-") / f"{steps}-steps-seed{seed}"
    result = folder / "result.json"
    if not result.exists():
        recipe = shortened(without(read_recipe(find_recipe("lumbar")), idea), steps, seed)
        card = pretrain(recipe, prepared, folder)
        result.write_text(json.dumps({name: card.figures["validation"][name] for name in SETS}))
    return json.loads(result.read_text())


def as_table(results: dict[str, list[dict[str, Any]]], steps: int) -> str:
    """Mean Dice over seeds, and between them the largest difference."""
    heads = [f"{name}: {structure}" for name in SETS for structure in STRUCTURES]
    lines = [
        f"{steps} steps each. Dice, mean over seeds ± half of what lies between the seeds.",
        "",
        "| without | seeds | " + " | ".join(heads) + " |",
        "| --- " * (2 + len(heads)) + "|",
    ]
    for idea, seeds in results.items():
        cells = []
        for name in SETS:
            for structure in STRUCTURES:
                values = [s[name][structure] for s in seeds if s[name][structure] is not None]
                spread = (max(values) - min(values)) / 2
                cells.append(f"{statistics.fmean(values):.3f} ± {spread:.3f}")
        lines.append(f"| {idea} | {len(seeds)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("prepared", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=IDEAS, default=IDEAS)
    arguments = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {}
    # Seed by seed, so that a table of all ideas is there as soon as possible.
    for seed in range(arguments.seeds):
        for idea in arguments.only:
            figures = run(idea, seed, arguments.steps, arguments.prepared, arguments.output)
            results.setdefault(idea, []).append(figures)
            print(f"without {idea}, seed {seed}: {json.dumps(figures)}", flush=True)
            (arguments.output / "ablation.md").write_text(as_table(results, arguments.steps))
    print((arguments.output / "ablation.md").read_text())


if __name__ == "__main__":
    main()
