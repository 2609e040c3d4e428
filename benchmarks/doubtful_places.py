"""How much of what is wrong the first doubtful places cover.

    python -m benchmarks.doubtful_places [--data DIR] [--keep DIR] [--json FILE]

Segments every scan of DIR, lists its doubtful places, and counts the wrong voxels that lie within a look
(`LOOK_MM`) of the first k of them. Beside it: as many places thrown at random onto the segmentation (mean
of 20 throws, seeded), and the best that k looks of that size can cover, found greedily from the truth.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from scipy import ndimage

from benchmarks.corrected_cases import Case, cases, options
from napari_spineseg.corrections.doubt import MOST, find_doubts
from napari_spineseg.corrections.doubt.look import Cells

FIRST = (1, 5, 10, 15)
_THROWS = 20
Point = tuple[float, ...]


def curve(places: list[Point], wrong: Cells) -> list[float]:
    """Share of what is wrong within a look of the first 1, 2, ... places. `places` are cells."""
    left = wrong.values.copy()
    total, covered, out = float(left.sum()), 0.0, []
    for place in [*places, *[None] * MOST][:MOST]:
        if place is not None:
            seen = wrong.seen_from(place)
            covered += float(left[seen].sum())
            left[seen] = 0
        out.append(covered / total)
    return out


def best(wrong: Cells) -> list[Point]:
    """The places that cover most, one after the other."""
    left = Cells(wrong.values.copy(), wrong.factors, wrong.spacing)
    out = []
    for _ in range(MOST):
        place, _ = left.most()
        out.append(place)
        left.values[left.seen_from(place)] = 0
    return out


def measure(case: Case) -> dict[str, list[float]]:
    """Curves of one scan."""
    wrong = Cells.of(case.wrong.astype(np.float32), case.spacing)
    found = find_doubts(case.labels, case.spacing, case.uncertainty)
    near = ndimage.binary_dilation(Cells.of((case.labels > 0).astype(np.float32), case.spacing).values > 0)
    choices, rng = np.argwhere(near), np.random.default_rng(0)
    throws = [[tuple(choices[n]) for n in rng.integers(len(choices), size=MOST)] for _ in range(_THROWS)]
    return {
        "doubtful": curve([wrong.cell_of(doubt.point) for doubt in found], wrong),
        "random": np.mean([curve(throw, wrong) for throw in throws], 0).tolist(),
        "best": curve(best(wrong), wrong),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write down."""
    chosen = options(__doc__.splitlines()[0]).parse_args(arguments)
    figures = {}
    print(f"{'scan':8} {'Dice':>5} {'wrong ml':>8}  first {FIRST} places cover")
    for case in cases(chosen.data, chosen.model, chosen.keep):
        curves = measure(case)
        wrong = float(case.wrong.sum() * np.prod(case.spacing) / 1000)
        figures[case.name] = {"dice": case.dice, "wrong_ml": wrong, **curves}
        print(f"{case.name:8} {case.dice:.3f} {wrong:8.1f}  {_row(curves['doubtful'])}", flush=True)
    if not figures:
        sys.exit(f"There is no NAME_image.nii.gz in {chosen.data}.")
    for kind in ("doubtful", "random", "best"):
        middle = np.mean([f[kind] for f in figures.values()], 0)
        low, high = (edge([f[kind][-1] for f in figures.values()]) for edge in (min, max))
        print(f"{kind:23}  {_row(middle)}   (first {MOST}: {low:.3f} to {high:.3f})")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n")


def _row(shares: list[float]) -> str:
    return "  ".join(f"{shares[k - 1]:.3f}" for k in FIRST)


if __name__ == "__main__":
    main()
