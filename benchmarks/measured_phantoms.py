"""Phantoms for `benchmarks.measurements`: what was drawn, and how far from it the figures are."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from napari_spineseg.measurement import Measurements, measure
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom
from napari_spineseg.synthesis.phantom.spine import Vertebra, draw_spine


def phantom_errors(count: int, spacing: tuple[float, float, float]) -> dict[str, list[float]]:
    """Slip, disc angle and coronal angle of phantoms, measured minus drawn."""
    errors: dict[str, list[float]] = defaultdict(list)
    for seed in range(count):
        rng = np.random.default_rng([seed, 9])
        cobb = float(rng.uniform(10, 45)) if seed % 2 else 0.0
        chosen = PhantomSettings(
            seed=seed,
            slip_mm=float(rng.uniform(-6, 10)),
            slip_disc=int(rng.choice([202, 203])),
            scoliosis_deg=cobb,
            spacing_mm=spacing,
            field_of_view_mm=(84, 280, 240),
        )
        _, drawn = make_phantom(chosen)
        found = measure(drawn)
        bones = draw_spine(chosen, np.random.default_rng([seed, 1])).vertebrae
        key = "coronal_cobb" if cobb else "coronal_cobb of a straight spine"
        given = found.of("spine")["coronal_cobb"].value
        errors[key].append(given - (_drawn_cobb(bones, found) if cobb else 0.0))
        for n in range(1, 5):
            pair = found.of(drawn.numbering.disc(201 + n))
            low, high = bones[n - 1], bones[n]
            corner, target, along = _corner(high, -1), _corner(low, 1), _along(low, 1)
            if pair["slip"].value is not None:
                errors["slip"].append(pair["slip"].value - float((corner - target) @ along))
                cosine = np.clip(_along(high, -1) @ along, -1, 1)
                errors["size of disc_angle"].append(
                    abs(pair["disc_angle"].value) - float(np.degrees(np.arccos(cosine)))
                )
    return errors


def _drawn_cobb(bones: tuple[Vertebra, ...], found: Measurements) -> float:
    """Largest coronal angle between the measured bodies of a phantom; their endplates are parallel."""
    names = [f"L{5 - n}" if n < 5 else f"T{17 - n}" for n in range(len(bones))]
    seen = [
        bone
        for name, bone in zip(names, bones, strict=True)
        if name in found.levels and found.of(name)["body_depth"].value is not None
    ]
    up = seen[-1].frame.origin - seen[0].frame.origin
    up = up / np.linalg.norm(up)
    front = np.sum([bone.frame.axes[:, 1] for bone in seen], axis=0)
    front -= (front @ up) * up
    side = np.cross(front / np.linalg.norm(front), up)
    tilts = [np.degrees(np.arctan2(b.frame.axes[:, 2] @ side, b.frame.axes[:, 2] @ up)) for b in seen]
    return float(np.ptp(tilts))


def _corner(bone: Vertebra, up: int, front: int = -1) -> np.ndarray:
    """(3,) RAS mm of a corner of a phantom's body; its endplates rise towards the rims, more in front."""
    half = bone.depth / 2
    v = front * half
    rim = bone.concavity * (min((v / half + 0.15) ** 2, 1.15) - 0.5)
    return bone.frame.world((0, v, up * (bone.height / 2 + v * np.tan(np.radians(bone.wedge / 2)) + rim)))


def _along(bone: Vertebra, up: int) -> np.ndarray:
    step = _corner(bone, up, 1) - _corner(bone, up, -1)
    return step / np.linalg.norm(step)
