"""How far the references of the bodies-only test sets themselves let a segmentation come.

    python -m benchmarks.reference_style PREDICTIONS EXTERNAL [--scorer FILE]

PREDICTIONS is what `make accuracy` wrote, EXTERNAL the folder with the `bodies_*` sets, FILE the scorer.
Three things are told apart: bodies that are labelled in the reference and that no lumbar labelling scheme
calls a vertebra (the first sacral segment), outlines that are drawn tighter or wider than ours (precision
against recall), and the sides of the bodies (the middle third of the slices against all). Nothing is
tuned by it: it reads finished segmentations.
"""

from __future__ import annotations

import argparse
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np


def overlap(reference: np.ndarray, ours: np.ndarray) -> tuple[float, float, float]:
    """Dice, precision and recall of two masks."""
    both = float((reference & ours).sum())
    return (
        2 * both / max(1, reference.sum() + ours.sum()),
        both / max(1, ours.sum()),
        both / max(1, reference.sum()),
    )


def middle_third(reference: np.ndarray) -> slice:
    """The inner third of the sagittal slices (axis 0) that the reference is in."""
    slices = np.flatnonzero(reference.any((1, 2)))
    third = len(slices) // 3
    return slice(slices[third], slices[-1 - third] + 1)


def rows(predictions: Path, folder: Path, scorer: ModuleType) -> list[tuple[float, ...]]:
    """For each scan: Dice, precision, recall, Dice without the lowest body, Dice of the middle third."""
    found = []
    for image in sorted(folder.glob("*_image.nii.gz")):
        name = image.name.removesuffix("_image.nii.gz")
        levels, _, spacing = scorer.canonical(predictions / folder.name / f"{name}_image_seg.nii.gz")
        reference = scorer.canonical(folder / f"{name}_labels.nii.gz")[0].astype(int)
        vertebrae = scorer.structures_of(levels) == 1

        def scored(mask: np.ndarray, ours: np.ndarray = vertebrae, spacing=spacing) -> np.ndarray:
            return ours & scorer.behind_the_bodies(mask, spacing)

        whole, upper = reference > 0, reference > reference[reference > 0].min()
        middle = middle_third(whole)
        found.append(
            (
                *overlap(whole, scored(whole)),
                overlap(upper, scored(upper))[0],
                overlap(whole[middle], scored(whole)[middle])[0],
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("predictions", type=Path)
    parser.add_argument("external", type=Path)
    parser.add_argument("--scorer", type=Path, default=Path("../shared/tools/score.py"))
    arguments = parser.parse_args()
    spec = spec_from_file_location("scorer", arguments.scorer)
    scorer = module_from_spec(spec)
    spec.loader.exec_module(scorer)
    print("| set | Dice | precision | recall | without the lowest body | middle third of the slices |")
    print("| --- | --- | --- | --- | --- | --- |")
    for folder in sorted(arguments.external.glob("bodies_*")):
        means = np.mean(rows(arguments.predictions, folder, scorer), 0)
        print(f"| {folder.name} | {' | '.join(f'{m:.3f}' for m in means)} |")


if __name__ == "__main__":
    main()
