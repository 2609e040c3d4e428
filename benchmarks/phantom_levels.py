"""Levels on phantoms: how many vertebrae get their number, and how many scans a warning.

    python -m benchmarks.phantom_levels [--spines N] [--weights FILE.safetensors]

N spines (12), each as T1, T2 and STIR. A vertebra of less than 1500 voxels is not counted; one has its number
if more than half of it is marked, and mostly with that number.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_spineseg.core.checkpoint import load_model
from napari_spineseg.core.predict import PredictOptions, predict
from napari_spineseg.instances import label_levels
from napari_spineseg.models import get_model
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

_LEAST_VOXELS = 1500
_SEQUENCES = ("T1", "T2", "STIR")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spines", type=int, default=12)
    parser.add_argument("--weights", type=Path, help="another model than the bundled one")
    words = parser.parse_args()
    model = load_model(words.weights or get_model("lumbar").weights)
    right, warned = [], 0
    for seed in range(words.spines):
        for sequence in _SEQUENCES:
            scan, truth = make_phantom(PhantomSettings(seed=seed, sequence=sequence))
            turn = scan.grid.to_orientation()
            structures = predict(scan, model, PredictOptions(device="cpu")).structures
            result = label_levels(turn.apply(structures), turn.grid.spacing)
            found = _right(turn.apply(truth.labels), result.levels)
            right += found
            warned += bool(result.warnings)
            print(f"{seed} {sequence}: {sum(found)} of {len(found)}; {' '.join(result.warnings)}", flush=True)
    scans = words.spines * len(_SEQUENCES)
    print(
        f"{sum(right)} of {len(right)} vertebrae have their number; {warned} of {scans} scans have a warning"
    )


def _right(truth: np.ndarray, levels: np.ndarray) -> list[bool]:
    """For each vertebra of the phantom, whether it was found under its number."""
    out = []
    for level in np.unique(truth[(truth >= 1) & (truth <= 99)]):
        here = truth == level
        if here.sum() >= _LEAST_VOXELS:
            marked = levels[here & (levels >= 1) & (levels <= 99)]
            out.append(len(marked) > 0.5 * here.sum() and np.bincount(marked).argmax() == level)
    return out


if __name__ == "__main__":
    main()
