"""Figures of MONAI for the cases that `tests/core/test_metrics_monai.py` holds ours against.

MONAI is not a dependency of the tests: install it somewhere of its own, then
`python -m benchmarks.metrics_monai` writes `tests/core/monai_figures.json` anew. The cases are made
from formulas here, and the tests make them from the same lines.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "tests" / "core" / "monai_figures.json"
TOLERANCE_MM = 1.5


def cases() -> dict[str, tuple[np.ndarray, np.ndarray, tuple[float, ...]]]:
    """Name to reference, prediction, both bool, and spacing in mm."""
    solid = np.array([3.3, 0.6, 0.5])
    return {
        "ellipses, 2D": (
            _ball((40, 52), (18, 25), (11, 16)),
            _ball((40, 52), (20, 27), (12, 13)),
            (1.17, 0.94),
        ),
        "ellipsoids, thick slices": (
            _ball((9, 44, 48), (4, 20, 24), 14 / solid / 2),
            _ball((9, 44, 48), (5, 22, 22), 15 / solid / 2),
            tuple(solid),
        ),
        "a stray island": (
            _ball((40, 40), (15, 15), (9, 9)),
            _ball((40, 40), (15, 16), (9, 8)) | _ball((40, 40), (36, 36), (2, 2)),
            (0.5, 0.5),
        ),
        "a hole": (
            _ball((32, 32), (16, 16), (12, 12)),
            _ball((32, 32), (16, 16), (12, 12)) & ~_ball((32, 32), (16, 16), (4, 5)),
            (1.0, 1.0),
        ),
        "at the border": (_ball((24, 24), (2, 12), (8, 7)), _ball((24, 24), (0, 10), (9, 8)), (1.0, 2.0)),
        "noise": (*(np.random.default_rng(5).random((2, 6, 20, 20)) > 0.7), (2.0, 1.0, 1.0)),
    }


def _ball(shape: tuple[int, ...], centre: tuple[float, ...], radii: object) -> np.ndarray:
    places = np.indices(shape, float)
    axes = zip(places, centre, np.asarray(radii, float), strict=True)
    return sum(((p - c) / r) ** 2 for p, c, r in axes) <= 1


def monai_figures(
    reference: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...]
) -> dict[str, float]:
    """What MONAI says of one case, under our names."""
    import torch
    from monai import metrics

    y, y_pred = (torch.from_numpy(m)[None, None].float() for m in (reference, predicted))
    counts = metrics.get_confusion_matrix(y_pred, y)
    distance = dict(include_background=True, spacing=list(spacing))
    figures = {
        "dice": metrics.compute_dice(y_pred, y),
        "iou": metrics.compute_iou(y_pred, y),
        **{
            name: metrics.compute_confusion_matrix_metric(word, counts)
            for name, word in (("precision", "precision"), ("recall", "sensitivity"), ("f1", "f1 score"))
        },
        "asd": metrics.compute_average_surface_distance(y_pred, y, symmetric=False, **distance),
        "assd": metrics.compute_average_surface_distance(y_pred, y, symmetric=True, **distance),
        "hd95": metrics.compute_hausdorff_distance(y_pred, y, percentile=95, **distance),
        "nsd": metrics.compute_surface_dice(y_pred, y, [TOLERANCE_MM], **distance),
    }
    return {name: float(value) for name, value in figures.items()}


def main() -> None:
    import monai

    found = {name: monai_figures(*case) for name, case in cases().items()}
    OUT.write_text(json.dumps({"monai": monai.__version__, "figures": found}, indent=1) + "\n")
    print(f"{len(found)} cases -> {OUT.name}")


if __name__ == "__main__":
    main()
