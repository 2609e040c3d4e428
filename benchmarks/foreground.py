"""What looking only where the spine is costs: Dice with whole slices and with windows, scan by scan.

    python -m benchmarks.foreground DATA [--weights FILE.safetensors]

DATA holds `<id>_image.nii.gz` with `<id>_labels.nii.gz` or `<id>_levels.nii.gz` beside them, at any depth: of
scans whose every structure is labelled. Both ways have to agree to about .001; where a window hides what
tells a body from the sacrum, they do not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from napari_spineseg import io
from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.core.checkpoint import LoadedModel, load_model
from napari_spineseg.core.predict import PredictOptions, predict
from napari_spineseg.models import get_model

_STRUCTURES = (Structure.VERTEBRA, Structure.DISC, Structure.CANAL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, help="another model than the bundled one")
    words = parser.parse_args()
    model = load_model(words.weights or get_model("lumbar").weights)
    rows = [_row(image, labels, model) for image, labels in _pairs(words.data)]
    print("| scan | whole slices: vertebra, disc, canal | in windows |\n| --- | --- | --- |")
    for name, whole, windows in [*rows, ("mean", *np.mean([row[1:] for row in rows], 0))]:
        print(f"| {name} | {_text(whole)} | {_text(windows)} |")


def _pairs(data: Path) -> list[tuple[Path, Path]]:
    found = []
    for image in sorted(data.rglob("*_image.nii.gz")):
        stem = image.name.removesuffix("_image.nii.gz")
        names = (image.with_name(f"{stem}_{kind}.nii.gz") for kind in ("levels", "labels"))
        found += [(image, path) for path in names if path.exists()][:1]
    return found


def _row(image: Path, labels: Path, model: LoadedModel) -> tuple[str, np.ndarray, np.ndarray]:
    scan, reference = io.read_scan(image), io.read_segmentation(labels)
    truth = reference.labels if reference.scheme == "structures" else levels_to_structures(reference.labels)
    both = (
        predict(scan, model, PredictOptions(device="cpu", crop=crop)).structures for crop in (False, True)
    )
    return image.parent.name + "/" + image.name.split("_")[0], *(_dice(truth, found) for found in both)


def _dice(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    pairs = [(truth == structure, found == structure) for structure in _STRUCTURES]
    return np.array([2 * (a & b).sum() / max(1, a.sum() + b.sum()) for a, b in pairs])


def _text(dice: np.ndarray) -> str:
    return ", ".join(f"{value:.3f}" for value in dice)


if __name__ == "__main__":
    main()
