"""What `benchmarks/ahmed2024.md` says beside its table: the leak, and what stacking does to distances.

    python -m benchmarks.ahmed2024 leak DATA        how many test slices have a neighbour in training
    python -m benchmarks.ahmed2024 copied DATA      Dice of the labels of the slices beside, without an image
    python -m benchmarks.ahmed2024 stacked DATA     stacked against true surface distances, same masks
    python -m benchmarks.ahmed2024 page RUNS        put the table of `reproduce -o RUNS` into the page
    python -m benchmarks.ahmed2024 bundle RUNS      make its patients' model the bundled one

DATA is what `spineseg reproduce ahmed2024 --data` takes. The masks of `stacked` are those of the
bundled default model on patients that it does not know.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np

PAGE = Path(__file__).parent / "ahmed2024.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
_SEEDS, _COPIED_SEEDS = 20, 5


def leak(data: Path) -> None:
    from napari_spineseg.learning.ahmed2024.parts import split, with_neighbour
    from napari_spineseg.learning.ahmed2024.slices import read_slices

    slices = read_slices(data, "t2_SPACE")
    shares = {"slices": [], "patients": []}
    for protocol, found in shares.items():
        for seed in range(_SEEDS):
            parts = split(slices, protocol, 0, 1, seed)
            found.append(with_neighbour(slices, parts) / len(parts.test))
    for protocol, found in shares.items():
        print(
            f"{protocol}: {len(slices)} slices, {100 * np.mean(found):.1f} % of the test slices have "
            f"a neighbour in training ({100 * min(found):.1f} to {100 * max(found):.1f} over {_SEEDS} seeds)"
        )


def copied(data: Path) -> None:
    """The labels of the training slices beside, as answers for the test slices."""
    from napari_spineseg.learning.ahmed2024.parts import split
    from napari_spineseg.learning.ahmed2024.score import CLASSES
    from napari_spineseg.learning.ahmed2024.slices import read_slices

    slices = read_slices(data, "t2_SPACE")
    rows = {(int(s), int(p)): i for i, (s, p) in enumerate(zip(slices.stack, slices.place, strict=True))}
    means = []
    for seed in range(_COPIED_SEEDS):
        parts, found = split(slices, "slices", 0, 1, seed), []
        for i in parts.test:
            beside = [rows.get((int(slices.stack[i]), int(slices.place[i]) + step)) for step in (-1, 1)]
            labels = [slices.structures[k] for k in beside if k in parts.train]
            if labels:
                found.append([_copies(slices.structures[i] == c, [a == c for a in labels]) for c in CLASSES])
        means.append(np.nanmean(found, 0))
    for how, figures in zip(
        ("one of them", "half way between"), np.stack(means, -1).swapaxes(0, 1), strict=True
    ):
        words = (
            f"{c.title} {one.mean():.3f} ({one.min():.3f} to {one.max():.3f})"
            for c, one in zip(CLASSES, figures, strict=True)
        )
        print(f"labels of the slices beside, {how}, {_COPIED_SEEDS} seeds: Dice {', '.join(words)}")


def _copies(reference: np.ndarray, beside: list[np.ndarray]) -> tuple[float, float]:
    """Dice of the first mask beside, and of the shape half way between them all."""
    from napari_spineseg.core.metrics import agreement

    answers = beside[0], _between(beside)
    return tuple(agreement(reference, answer, (1.0, 1.0), 1.0).dice for answer in answers)


def _between(masks: list[np.ndarray]) -> np.ndarray:
    """The shape between masks (h, w): where the mean of their signed distances is inside."""
    from scipy.ndimage import distance_transform_edt

    return np.mean([distance_transform_edt(m) - distance_transform_edt(~m) for m in masks], 0) > 0


def stacked(data: Path) -> None:
    from napari_spineseg.core.checkpoint import load_model
    from napari_spineseg.core.metrics import agreement
    from napari_spineseg.core.predict import PredictOptions, predict
    from napari_spineseg.datasets.prepared import resized_labels
    from napari_spineseg.learning.ahmed2024.score import CLASSES, as_scan
    from napari_spineseg.learning.ahmed2024.slices import NETWORK_SIZE, read_slices
    from napari_spineseg.models import get_model

    model = load_model(get_model().weights)
    known = set(model.card.data["patients"])
    slices = read_slices(data, "t2_SPACE")
    found = {}
    for s, stack in enumerate(slices.stacks):
        if stack.patient not in known:
            structures = predict(as_scan(stack), model, PredictOptions(crop=False)).structures
            found[s] = resized_labels(structures, NETWORK_SIZE, range(4))
    rows = np.flatnonzero(np.isin(slices.stack, list(found)))
    print(f"{len(rows)} slices of {len(found)} patients, 256 × 256 pixels, unit voxels, NSD at 1 pixel")
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(rows)
        reference = slices.structures[order]
        predicted = np.stack([found[slices.stack[i]][slices.place[i]] for i in order])
        for c in CLASSES:
            pile = agreement(reference == c, predicted == c, (1.0, 1.0, 1.0), 1.0)
            single = [
                agreement(a == c, b == c, (1.0, 1.0), 1.0) for a, b in zip(reference, predicted, strict=True)
            ]
            asd, nsd = (np.nanmean([getattr(one, name) for one in single]) for name in ("asd", "nsd"))
            print(
                f"seed {seed} {c.title}: Dice {np.nanmean([one.dice for one in single]):.4f}; "
                f"ASD {asd:.4f} a slice, {pile.asd:.4f} stacked ({asd / pile.asd:.1f} times); "
                f"NSD {nsd:.4f} a slice, {pile.nsd:.4f} stacked",
                flush=True,
            )


def page(runs: Path) -> None:
    from napari_spineseg.learning.ahmed2024.reproduce import load_results
    from napari_spineseg.learning.ahmed2024.table import as_markdown

    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{as_markdown(load_results(runs))}\n{END}{after}", encoding="utf-8")


def bundle(runs: Path) -> None:
    from napari_spineseg.models.registry import BUNDLED

    for ending in ("safetensors", "json"):
        source = runs / "patients" / "fold0" / "published" / f"model.{ending}"
        shutil.copyfile(source, BUNDLED / f"ahmed2024.{ending}")


if __name__ == "__main__":
    works = {"leak": leak, "copied": copied, "stacked": stacked, "page": page, "bundle": bundle}
    if len(sys.argv) != 3 or sys.argv[1] not in works:
        sys.exit(__doc__)
    works[sys.argv[1]](Path(sys.argv[2]))
