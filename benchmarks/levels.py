"""How well structures become instances with the right levels, on clean and on damaged label volumes.

    python -m benchmarks.levels [--masks DIR] [--seeds N] [--cases REGEX] [--json FILE]

Reads SPIDER label volumes (`levels` scheme; ../shared/data/spider_masks beside the repository unless
told otherwise), reduces them to structures, damages them in the ways that networks and scanners do,
labels them again and counts: *found* = instance matched one to one at Dice >= .5, *levels* = found
with the right number, *Dice* = mean over instances. One row a kind of damage, over all volumes and
seeds; `worst seed` is the lowest mean of a seed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.grid import Grid
from napari_spineseg.instances import label_levels

MASKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "spider_masks"
Spacing = tuple[float, float, float]
Damage = Callable[
    [np.ndarray, np.ndarray, Spacing, np.random.Generator], tuple[np.ndarray, np.ndarray, Spacing]
]


def load(path: Path) -> tuple[np.ndarray, Spacing]:
    """Levels (slices, rows, columns) in sagittal orientation, and spacing."""
    image = nib.load(path)
    turn = Grid(image.shape[:3], image.affine).to_orientation()
    return np.ascontiguousarray(turn.apply(np.asarray(image.dataobj))).astype(np.uint16), turn.grid.spacing


def _disk(mm: float, spacing: Spacing) -> np.ndarray:
    """In-plane structuring element, one slice thick."""
    reach = [max(1, round(mm / s)) for s in spacing[1:]]
    y, x = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    return ((y / reach[0]) ** 2 + (x / reach[1]) ** 2 <= 1.01)[None]


def _blob(shape, centre, radius, spacing) -> np.ndarray:
    out = np.zeros(shape, bool)
    box, terms = [], []
    for n, s, c, r in zip(shape, spacing, centre, radius, strict=True):
        box.append(slice(max(0, int((c - r) / s)), max(0, min(n, int((c + r) / s) + 2))))
        terms.append(((np.arange(n)[box[-1]] * s - c) / r) ** 2)
    out[tuple(box)] = terms[0][:, None, None] + terms[1][:, None] + terms[2] <= 1
    return out


def _centre(levels, label, spacing) -> np.ndarray:
    return np.argwhere(levels == label).mean(0) * spacing


def clean(levels, structures, spacing, rng):
    return levels, structures, spacing


def bridged(levels, structures, spacing, rng):
    """Vertebrae grown 2 mm into everything: bodies, facets and spinous processes run together."""
    grown = ndimage.binary_dilation(structures == 1, _disk(2.0, spacing))
    out = np.where(grown & (structures != 3), 1, structures)
    keep = ndimage.binary_erosion(structures == 2, _disk(2.0, spacing))
    return levels, np.where(keep, 2, out).astype(np.uint8), spacing


def merged(levels, structures, spacing, rng):
    """One to three discs painted as vertebra."""
    out = structures.copy()
    for label in rng.choice(_discs(levels)[1:], rng.integers(1, 4), replace=False):
        out[ndimage.binary_dilation(levels == label, _disk(2.0, spacing)) & (structures != 3)] = 1
    return _without_lost_discs(levels, out), out, spacing


def dropped(levels, structures, spacing, rng):
    """One to three discs not painted at all, L5/S1 excepted."""
    out = structures.copy()
    for label in rng.choice(_discs(levels)[1:], rng.integers(1, 4), replace=False):
        out[levels == label] = 0
    return _without_lost_discs(levels, out), out, spacing


def no_junction_disc(levels, structures, spacing, rng):
    """The L5/S1 disc not painted."""
    out = np.where(levels == 201, 0, structures).astype(np.uint8)
    return _without_lost_discs(levels, out), out, spacing


def islands(levels, structures, spacing, rng):
    """Twelve false pieces of vertebra, disc and canal, in the abdomen and in the back."""
    out = structures.copy()
    size = np.array(structures.shape) * spacing
    taken = ndimage.binary_dilation(structures > 0, _disk(3.0, spacing))
    for _ in range(12):
        radius = rng.uniform(3, 14, 3)
        piece = _blob(structures.shape, rng.uniform(0, 1, 3) * size, radius, spacing)
        if not (piece & taken).any():
            out[piece] = rng.integers(1, 4)
    return levels, out, spacing


def eroded(levels, structures, spacing, rng):
    """Everything thinned by 1.5 mm, with holes."""
    out = np.zeros_like(structures)
    for kind in (1, 2, 3):
        out[ndimage.binary_erosion(structures == kind, _disk(1.5, spacing))] = kind
    painted = np.argwhere(out > 0)
    for place in painted[rng.integers(0, len(painted), 25)]:
        out[_blob(out.shape, place * spacing, rng.uniform(2, 5, 3), spacing)] = 0
    return np.where(out > 0, levels, 0), out, spacing


def slabs(levels, structures, spacing, rng):
    """A field of view of the middle 18 mm only."""
    middle = int(np.argwhere(levels == 100)[:, 0].mean())
    half = max(1, round(9 / spacing[0]))
    part = slice(max(0, middle - half), middle + half + 1)
    return levels[part], structures[part], spacing


def lost_slices(levels, structures, spacing, rng):
    """A fifth of the slices lost one structure or all."""
    out = structures.copy()
    for z in rng.choice(len(out), max(1, len(out) // 5), replace=False):
        gone = rng.integers(0, 4)
        out[z][(out[z] == gone) if gone else (out[z] > 0)] = 0
    return levels, out, spacing


def cropped_top(levels, structures, spacing, rng):
    """The field of view ends above somewhere between L1 and L3."""
    rows = np.argwhere(levels == rng.integers(3, 6))[:, 1]
    start = int(rng.integers(rows.min(), rows.max()))
    return levels[:, start:], structures[:, start:], spacing


def missing_body(levels, structures, spacing, rng):
    """One vertebra not painted at all."""
    out = structures.copy()
    gone = int(rng.integers(2, int(levels[levels < 100].max())))
    out[levels == gone] = 0
    return np.where(levels == gone, 0, levels), out, spacing


def sacrum(levels, structures, spacing, rng):
    """A wedge of S1 painted below the L5/S1 disc, in half of the seeds with a bit of S1/S2 below it."""
    out = structures.copy()
    low, above = _centre(levels, 201, spacing), _centre(levels, 202, spacing)
    step = (low - above) / np.linalg.norm(low - above)
    radius = np.array([18.0, rng.uniform(6, 10), 13.0])
    centre = low + step * (8 + radius[1]) + [0, 0, 6]
    free = structures == 0
    out[_blob(out.shape, centre, radius, spacing) & free] = 1
    if rng.random() < 0.5:
        out[_blob(out.shape, centre + step * (radius[1] + 3), (12, 3, 9), spacing) & free] = 2
    return levels, out, spacing


def leaning(levels, structures, spacing, rng):
    """Scoliosis: slices shifted along a bend, rows sheared by the lateral tilt."""
    rows = np.arange(structures.shape[1]) * spacing[1]
    bend = rng.uniform(10, 22) * np.sin(2 * np.pi * (rows / rows[-1] + rng.random()))
    shift = np.round(bend / spacing[0]).astype(int)
    shift -= int(np.median(shift))
    out, truth = np.zeros_like(structures), np.zeros_like(levels)
    for y, by in enumerate(shift):
        for source, target in ((structures, out), (levels, truth)):
            target[max(0, by) : len(out) + min(0, by), y] = source[max(0, -by) : len(out) - max(0, by), y]
    return truth, out, spacing


def slipped(levels, structures, spacing, rng):
    """Spondylolisthesis: everything above a disc pushed 8 mm to the front."""
    label = int(rng.integers(1, 4))
    forward = round(8 / spacing[2])
    upper = ((levels > label) & (levels < 100)) | (levels > 200 + label)
    out, truth = np.where(upper, 0, structures), np.where(upper, 0, levels)
    moved = np.roll(upper, -forward, 2)
    return (
        np.where(moved, np.roll(levels, -forward, 2), truth).astype(np.uint16),
        np.where(moved, np.roll(structures, -forward, 2), out).astype(np.uint8),
        spacing,
    )


def isotropic(levels, structures, spacing, rng):
    """Resampled to 1 mm, as the research sets are."""
    zoom = [s / 1.0 for s in spacing]
    new = ndimage.zoom(levels, zoom, order=0)
    return new, levels_to_structures(new), (1.0, 1.0, 1.0)


def everything(levels, structures, spacing, rng):
    """Growth, a lost disc, islands, holes and lost slices at once."""
    _, out, _ = bridged(levels, structures, spacing, rng)
    gone = int(rng.choice(_discs(levels)[1:]))
    out[levels == gone] = 0
    for damage in (islands, lost_slices):
        _, out, _ = damage(levels, out, spacing, rng)
    return _without_lost_discs(levels, out), out, spacing


DAMAGES: tuple[Damage, ...] = (
    clean,
    isotropic,
    bridged,
    merged,
    dropped,
    no_junction_disc,
    missing_body,
    eroded,
    islands,
    slabs,
    lost_slices,
    cropped_top,
    sacrum,
    leaning,
    slipped,
    everything,
)


def _discs(levels: np.ndarray) -> np.ndarray:
    values = np.unique(levels)
    return values[values > 200]


def _without_lost_discs(levels: np.ndarray, structures: np.ndarray) -> np.ndarray:
    """A disc that is not painted cannot be found: leave it out of the reference."""
    truth = levels.copy()
    for label in _discs(levels):
        here = levels == label
        if not (structures[here] == 2).any():
            truth[here] = 0
    return truth


def compare(truth: np.ndarray, levels: np.ndarray) -> dict[str, float]:
    """Found, levels and Dice over vertebrae and discs that hold at least 0.2 % of the labelled voxels."""
    size = int(max(truth.max(), levels.max())) + 1
    table = np.bincount(truth.ravel().astype(np.int64) * size + levels.ravel(), minlength=size**2)
    table = table.reshape(size, size)
    sums, own = table.sum(1), table.sum(0)
    labels = [v for v in range(1, size) if v != 100 and sums[v] > 0.002 * sums[1:].sum()]
    best = {v: int(table[v, 1:].argmax()) + 1 for v in labels}
    dice = {v: 2 * table[v, best[v]] / (sums[v] + own[best[v]]) for v in labels}
    used = [best[v] for v in labels if dice[v] >= 0.5]
    found = [v for v in labels if dice[v] >= 0.5 and used.count(best[v]) == 1]
    return {
        "found": len(found) / len(labels),
        "levels": sum(best[v] == v for v in found) / len(labels),
        "dice": float(np.mean(list(dice.values()))),
        "extra": float(np.mean([own[v] > 0 and sums[v] == 0 for v in range(1, size) if v != 100])) * size,
    }


def measure(paths: list[Path], seeds: int, pattern: str) -> dict[str, dict]:
    report: dict[str, dict] = {}
    for damage in DAMAGES:
        if not re.search(pattern, damage.__name__):
            continue
        rows = []
        for path in paths:
            levels, spacing = load(path)
            structures = levels_to_structures(levels)
            for seed in range(1 if damage in (clean, isotropic, bridged, slabs, no_junction_disc) else seeds):
                rng = np.random.default_rng([seed, len(path.name), *path.name.encode()])
                truth, broken, grid = damage(levels, structures, spacing, rng)
                began = time.process_time()
                result = label_levels(broken, grid)
                row = compare(truth, result.levels)
                row |= {"case": path.name.removesuffix("_mask.nii.gz"), "seed": seed}
                row |= {"seconds": time.process_time() - began, "warnings": list(result.warnings)}
                rows.append(row)
        report[damage.__name__] = {"rows": rows, "what": (damage.__doc__ or "As annotated.").strip()}
        show(damage.__name__, rows)
    return report


def show(name: str, rows: list[dict]) -> None:
    by_seed = [[r for r in rows if r["seed"] == s] for s in sorted({r["seed"] for r in rows})]
    cells = []
    for key in ("found", "levels", "dice"):
        means = [float(np.mean([r[key] for r in group])) for group in by_seed]
        cells.append(f"{key} {np.mean(means):.4f} (worst seed {min(means):.4f})")
    perfect = sum(r["levels"] == 1 and r["found"] == 1 for r in rows)
    warned = sum(bool(r["warnings"]) for r in rows)
    seconds = np.median([r["seconds"] for r in rows])
    print(f"{name:17s} {'  '.join(cells)}  perfect {perfect}/{len(rows)}  warned {warned}  {seconds:.2f} s")
    for row in rows:
        if row["levels"] < 1 or row["found"] < 1:
            print(
                f"    {row['case']} seed {row['seed']}: found {row['found']:.2f} levels {row['levels']:.2f}"
            )
            print(f"        {row['warnings']}")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", type=Path, default=MASKS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cases", default="", help="only damages whose name matches")
    parser.add_argument("--volumes", default="", help="only volumes whose name matches")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    paths = [p for p in sorted(args.masks.glob("*_mask.nii.gz")) if re.search(args.volumes, p.name)]
    if not paths:
        print(f"No *_mask.nii.gz in {args.masks}; nothing was measured.", file=sys.stderr)
        return 2
    report = measure(paths, args.seeds, args.cases)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
