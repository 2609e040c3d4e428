"""How far figures are from the truth, and those of the bundled model from those of reference labels.

    python -m benchmarks.measurements DATA [--segmentations DIR] [--ruled N] [--phantoms N] [--json FILE]

DATA is the folder that holds `spider_space/val` and `spider_t2`. First spines drawn with a ruler, N
persons on each of four grids; then phantoms, whose outlines are bent by a millimetre as those of people
are; then patients, where nobody knows the truth: the model's segmentations (read from DIR where they
were made before) against the reference labels, which are given levels by the same rules.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.measured_phantoms import phantom_errors
from napari_spineseg.anatomy import CANAL_LABEL, FIRST_DISC_LABEL
from napari_spineseg.instances import label_levels
from napari_spineseg.measurement import CATALOGUE, Figure, Measurements, measure
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.synthesis.ruled import RuledLevel, RuledSpine, draw_ruled, rule_spine

GRIDS = ((4.0, 0.5, 0.5), (4.0, 0.9, 0.9), (1.0, 0.5, 0.5), (1.0, 0.9, 0.9))
# Figures of one level that lie further apart than this, mm, are not of one place.
_ELSEWHERE = 15.0
Errors = dict[str, list[float]]


def ruled_errors(count: int, spacing: tuple[float, float, float]) -> Errors:
    """Measured minus drawn over `count` spines of five vertebrae; without scoliosis in every other one."""
    errors: Errors = defaultdict(list)
    for seed in range(count):
        rng = np.random.default_rng([seed, 7])
        rolls = rng.uniform(-6, 6, 5) * (seed % 2)
        levels = [_level(rng, roll) for roll in rolls]
        turn = Rotation.from_euler("xyz", rng.uniform(-1, 1, 3) * (15, 4, 4), degrees=True).as_matrix()
        spine = rule_spine(levels, turn)
        found = measure(draw_ruled(spine, spacing))
        for level, key, value in _truths(spine):
            figure = found.of(level)[key]
            if figure.value is None:
                errors[f"{key} not given"].append(1.0)
            else:
                errors[key].append(figure.value - value)
    return errors


def _level(rng: np.random.Generator, roll: float) -> RuledLevel:
    return RuledLevel(
        height=rng.uniform(22, 31),
        depth=rng.uniform(32, 36),
        wedge=rng.uniform(-3, 8),
        roll=roll / 2,
        disc_height=rng.uniform(5, 12),
        disc_wedge=rng.uniform(0, 10),
        disc_roll=roll / 2,
        slip=rng.uniform(-4, 6),
    )


def _truths(spine: RuledSpine) -> Iterator[tuple[str, str, float]]:
    """(level, key, value) of what was drawn."""
    for n, (disc, body) in enumerate(zip(spine.discs, spine.bodies, strict=True)):
        bone = f"L{5 - n}"
        gap = "L5/S1" if n == 0 else f"L{5 - n}/L{6 - n}"
        slant = body.depth * np.tan(np.radians(body.wedge / 2))
        back = body.height - slant
        yield bone, "body_height_anterior", body.height + slant
        yield bone, "body_height_middle", body.height
        yield bone, "body_height_posterior", back
        yield bone, "body_depth", body.depth
        yield bone, "wedge_ratio", (body.height + slant) / back
        yield bone, "biconcavity_ratio", body.height / back
        slant = 2 / 3 * disc.depth * np.tan(np.radians(disc.wedge / 2))
        yield gap, "disc_height_anterior", disc.height + slant
        yield gap, "disc_height_middle", disc.height
        yield gap, "disc_height_posterior", disc.height - slant
        yield gap, "disc_height_mean", disc.height
        yield gap, "disc_depth", disc.depth
        if n:
            yield gap, "disc_angle", disc.wedge
            yield gap, "slip", spine.slip(n)
            yield gap, "slip_share", 100 * spine.slip(n) / spine.bodies[n - 1].depth
            heights = [b.height for b in (body, spine.bodies[n - 1])]
            yield gap, "disc_height_index", 100 * disc.height / float(np.mean(heights))
    tilt = [b.frame.axes @ np.array([0, 0, 1]) for b in spine.bodies]
    if max(abs(t[0] - tilt[0][0]) for t in tilt) < 0.02:
        wedges = sum(b.wedge for b in spine.bodies) + sum(d.wedge for d in spine.discs[1:])
        yield "spine", "lordosis", wedges
    yield "spine", "coronal_cobb", _cobb(spine)


def _cobb(spine: RuledSpine) -> float:
    """Largest angle between an upper and a lower endplate below it, seen from the front of the spine."""
    up = spine.bodies[-1].frame.origin - spine.bodies[0].frame.origin
    up = up / np.linalg.norm(up)
    front = np.sum([b.frame.axes[:, 1] for b in spine.bodies], axis=0)
    front -= (front @ up) * up
    side = np.cross(front / np.linalg.norm(front), up)

    def tilt(body, sign: int) -> float:
        lean = np.tan(np.radians(body.roll / 2)) * sign
        across = np.cross(body.frame.axes @ np.array([1, 0, lean]), body.endplate(sign))
        return float(np.degrees(np.arctan2(across @ side, across @ up)))

    pairs = [
        abs(tilt(spine.bodies[a], 1) - tilt(spine.bodies[b], -1))
        for a in range(len(spine.bodies))
        for b in range(a)
    ]
    return max(pairs)


def canal_errors(count: int, spacing: tuple[float, float, float]) -> Errors:
    """Measured minus drawn for straight canals of many sizes, at slants to 30 degrees."""
    errors: Errors = defaultdict(list)
    for seed in range(count):
        rng = np.random.default_rng([seed, 8])
        turn = Rotation.from_euler("xy", rng.uniform(-1, 1, 2) * (30, 8), degrees=True).as_matrix()
        size = {"canal_depth": rng.uniform(8, 18), "canal_width": rng.uniform(14, 26)}
        spine = rule_spine([RuledLevel(), RuledLevel()], turn, **size)
        shift = (float(rng.uniform(-2, 2)), 0.0, 0.0)
        found = measure(draw_ruled(spine, spacing, shift=shift)).of("L4/L5")
        errors["canal_depth"].append(found["canal_depth"].value - size["canal_depth"])
        errors["canal_area"].append(100 * (found["canal_area"].value / spine.canal_area - 1))
    return errors


def patients(data: Path, made: Path | None) -> Iterator[tuple[str, Scan, Segmentation, Segmentation]]:
    """(name, scan, reference, model's) of each patient."""
    for image in sorted((data / "spider_space" / "val").glob("*_image.nii.gz")):
        scan = _scan(image)
        labels = image.with_name(image.name.replace("_image", "_labels"))
        yield image.name.split("_")[0], scan, _numbered(_labels(labels)), _model(scan, image, "val", made)
    image = data / "spider_t2" / "case_image.nii.gz"
    scan = _scan(image)
    reference = _labels(image.with_name("case_levels.nii.gz"))
    yield "t2", scan, reference, _model(scan, image, "spider_t2", made)


def _scan(path: Path) -> Scan:
    image = nib.load(path)
    return Scan(np.asarray(image.dataobj), image.affine, name=path.name, sequence="T2", source=path)


def _labels(path: Path) -> Segmentation:
    image = nib.load(path)
    return Segmentation(np.asarray(image.dataobj).astype(np.uint16), image.affine, name=path.name)


def _numbered(structures: Segmentation) -> Segmentation:
    turn = structures.grid.to_orientation()
    inner = np.ascontiguousarray(turn.apply(structures.labels)).astype(np.uint8)
    levels = label_levels(inner, turn.grid.spacing).levels
    return Segmentation(turn.invert(levels), structures.affine, name=structures.name)


def _model(scan: Scan, image: Path, folder: str, made: Path | None) -> Segmentation:
    if made is not None:
        return _labels(made / folder / image.name.replace(".nii.gz", "_seg.nii.gz"))
    from napari_spineseg.segment import segment

    return segment(scan).segmentation


def aligned(reference: Segmentation, other: Segmentation) -> tuple[Segmentation, int]:
    """`other` with its levels shifted so that they lie on those of the reference, and by how many."""
    counted = {k: _overlap(reference.labels, _shifted(other.labels, k)) for k in (0, 1, -1, 2, -2)}
    best = max(counted, key=counted.__getitem__)
    return Segmentation(_shifted(other.labels, best), other.affine, name=other.name), best


def _shifted(labels: np.ndarray, by: int) -> np.ndarray:
    moved = np.where((labels > 0) & (labels != CANAL_LABEL), labels.astype(int) + by, labels)
    return np.where((moved < 1) | (moved == FIRST_DISC_LABEL - 1), 0, moved).astype(np.uint16)


def _overlap(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.count_nonzero((one == other) & (one > 0) & (one < CANAL_LABEL)))


def compare(reference: Measurements, other: Measurements, errors: Errors, worst: dict, name: str) -> None:
    """Add the differences of one patient, other minus reference; `worst` says whose the largest is."""
    theirs = {(figure.key, figure.label): figure for figure in other.figures}
    for figure in reference.figures:
        match = theirs.get((figure.key, figure.label))
        if figure.value is None and (match is None or match.value is None):
            continue
        if match is None or match.value is None:
            errors[f"{figure.key} only in the reference"].append(1.0)
        elif figure.value is None:
            errors[f"{figure.key} only in the model's"].append(1.0)
        elif _apart(figure, match) > _ELSEWHERE:
            errors[f"{figure.key} elsewhere"].append(1.0)
        else:
            error = match.value - figure.value
            if abs(error) > max(map(abs, errors[figure.key]), default=0.0):
                doubted = [who for who, f in (("the model's", match), ("the reference", figure)) if f.caution]
                worst[figure.key] = f"{name} {figure.level}" + "".join(f", {w} doubted" for w in doubted)
            errors[figure.key].append(error)


def _apart(one: Figure, other: Figure) -> float:
    """mm between the middles of two figures' lines; 0 where they have none."""
    middles = [
        np.mean([p for mark in figure.marks for p in mark], axis=0) for figure in (one, other) if figure.marks
    ]
    return float(np.linalg.norm(middles[0] - middles[1])) if len(middles) == 2 else 0.0


def rows(errors: Errors, worst: dict[str, str]) -> Iterator[str]:
    """A table row for each measure: how many, mean, standard deviation, limits of agreement, largest."""
    order = list(CATALOGUE)
    for key in sorted(errors, key=lambda k: (order.index(k.split()[0]) if k.split()[0] in order else 99, k)):
        values = np.array(errors[key])
        if " only " in key or "elsewhere" in key or "not given" in key:
            yield f"| {key} | {len(values)} | | | |"
            continue
        mean, spread = values.mean(), values.std(ddof=1) if len(values) > 1 else float("nan")
        low, high = mean - 1.96 * spread, mean + 1.96 * spread
        largest = values[np.abs(values).argmax()]
        whose = f" ({worst[key]})" if key in worst else ""
        limits = f"{low:+.2f} to {high:+.2f}" if len(values) > 2 else "–"
        spoken = f"{mean:+.2f} ± {spread:.2f}" if len(values) > 2 else f"{mean:+.2f}"
        yield f"| {key} | {len(values)} | {spoken} | {limits} | {largest:+.2f}{whose} |"


def show(title: str, errors: Errors, kept: dict, worst: dict[str, str] | None = None) -> None:
    """Print one table."""
    print(
        f"\n{title}\n\n| measure | n | mean ± SD | 95 % limits | largest |\n| --- | --- | --- | --- | --- |"
    )
    print("\n".join(rows(errors, worst or {})), flush=True)
    kept[title] = errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--segmentations", type=Path)
    parser.add_argument("--ruled", type=int, default=8)
    parser.add_argument("--phantoms", type=int, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kept: dict[str, Errors] = {}
    for grid in GRIDS if options.ruled else ():
        errors = ruled_errors(options.ruled, grid)
        errors |= canal_errors(2 * options.ruled, grid)
        show(f"Ruled spines, {grid[0]:g} × {grid[1]:g} × {grid[2]:g} mm", errors, kept)
    for grid in ((4.0, 0.7, 0.7), (1.5, 0.7, 0.7)) if options.phantoms else ():
        title = f"Phantoms, {grid[0]:g} × {grid[1]:g} × {grid[2]:g} mm"
        show(title, phantom_errors(options.phantoms, grid), kept)
    if options.data:
        thin: Errors = defaultdict(list)
        thick: Errors = defaultdict(list)
        whose: tuple[dict, dict] = {}, {}
        for name, scan, reference, other in patients(options.data, options.segmentations):
            other, shift = aligned(reference, other)
            if shift:
                print(f"{name}: the model counts {-shift:+d} from the reference; compared at the same place.")
            errors, worst = (thick, whose[1]) if name == "t2" else (thin, whose[0])
            compare(measure(reference, scan), measure(other, scan), errors, worst, name)
        show("Patients, slabs of 0.9 × 0.47 × 0.47 mm: model minus reference", thin, kept, whose[0])
        show("Patient, 3.3 × 0.62 × 0.5 mm: model minus reference", thick, kept, whose[1])
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1, default=float))


if __name__ == "__main__":
    main()
