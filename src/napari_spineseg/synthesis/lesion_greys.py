"""How bright a lesion is: relative to the tissue it sits in, by sequence, with texture.

The factors are read off what the literature says of metastases, meningiomas and schwannomas (T1:
darker than marrow; enhancing after gadolinium; T2 and STIR: mostly brighter, sclerotic ones darker),
with wide scatter. In an image whose contrast was made up, a lesion differs from its host in either
direction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from napari_spineseg.anatomy import Structure

LEAST_CONTRAST = 0.14
"""Least difference between tumour and host, in an image whose bright tissue is about 1."""
_LEAST_TO_NOISE, _MOST_ASKED = 2.0, 0.3
_BRIGHTEST = 1.2

# Ranges of brightness relative to marrow; where there are two, one is drawn.
_MARROW_FACTORS: dict[str, tuple[tuple[float, float], ...]] = {
    "T1": ((0.35, 0.7),),
    "Gd T1": ((1.25, 1.9),),
    "T2": ((0.35, 0.65), (1.4, 2.1)),
    "STIR": ((2.0, 4.5),),
    "water": ((1.4, 2.2),),
    "fat": ((0.1, 0.4),),
    "in phase": ((0.45, 0.7),),
}
# Ranges of what is added to the brightness of the fluid, in shares of the image's range.
_FLUID_STEPS: dict[str, tuple[tuple[float, float], ...]] = {
    "T1": ((0.15, 0.35),),
    "Gd T1": ((0.4, 0.9),),
    "T2": ((-0.65, -0.3),),
    "STIR": ((-0.6, -0.25),),
    "water": ((-0.35, -0.15), (0.15, 0.4)),
    "fat": ((0.1, 0.2),),
    "in phase": ((0.15, 0.5),),
}


@dataclass(frozen=True)
class Greys:
    """Typical brightness of what surrounds lesions in one image, and which sequence it looks like."""

    marrow: float
    disc: float
    fluid: float
    top: float
    sequence: str = "random"
    least: float = LEAST_CONTRAST

    def beside(self, image: np.ndarray, bone: np.ndarray, canal: np.ndarray) -> Greys:
        """The same, with marrow and fluid as they are where the masks say, and the contrast it takes.

        A lesion has to differ from what is around it, not from the scan's average: by
        `LEAST_CONTRAST`, and by twice the spread (robust standard deviation) of its host.
        """
        marrow, fluid, spread = self.marrow, self.fluid, 0.0
        for name, where in (("marrow", bone), ("fluid", canal)):
            values = image[where]
            if values.size < 12:
                continue
            middle = float(np.median(values))
            spread = max(spread, 1.48 * float(np.median(np.abs(values - middle))))
            marrow, fluid = (middle, fluid) if name == "marrow" else (marrow, middle)
        least = min(max(self.least, _LEAST_TO_NOISE * spread / self.top), _MOST_ASKED)
        return replace(self, marrow=marrow, fluid=fluid, least=least)

    @staticmethod
    def of(image: np.ndarray, structures: np.ndarray, sequence: str = "random") -> Greys:
        """Measure (slices, H, W) float against its structures."""
        image, structures = image[..., ::3, ::3], structures[..., ::3, ::3]
        top = float(np.percentile(image, 97)) if image.size else 1.0

        def middle(structure: Structure, percentile: float = 50) -> float:
            values = image[structures == structure]
            return float(np.percentile(values, percentile)) if values.size > 5 else 0.45 * top

        return Greys(
            middle(Structure.VERTEBRA),
            middle(Structure.DISC),
            middle(Structure.CANAL, 65),
            max(top, 0.1),
            sequence,
        )


def in_bone(greys: Greys, rng: np.random.Generator) -> float:
    """Brightness of a metastasis."""
    ranges = _MARROW_FACTORS.get(greys.sequence)
    if ranges is None:
        return _away(greys.marrow, float(rng.choice([-1, 1])) * rng.uniform(0.15, 0.6), greys)
    low, high = ranges[rng.integers(len(ranges))]
    value = greys.marrow * rng.uniform(low, high)
    return _away(greys.marrow, (value - greys.marrow) / greys.top, greys)


def in_fluid(greys: Greys, rng: np.random.Generator) -> float:
    """Brightness of a mass in the canal."""
    ranges = _FLUID_STEPS.get(greys.sequence)
    if ranges is None:
        step = float(rng.choice([-1, 1])) * rng.uniform(0.18, 0.6)
    else:
        step = rng.uniform(*ranges[rng.integers(len(ranges))])
    return _away(greys.fluid, step, greys)


def like_fat(greys: Greys, rng: np.random.Generator) -> float:
    """Brightness of a haemangioma: fat and slow blood, bright in most sequences."""
    if greys.sequence in ("STIR", "random"):
        return _away(greys.marrow, float(rng.choice([-1, 1])) * rng.uniform(0.15, 0.5), greys)
    return min(greys.marrow * rng.uniform(1.3, 2.0), 1.2 * greys.top)


def either_way(value: float, greys: Greys, rng: np.random.Generator) -> float:
    """A brightness clearly above or below `value`."""
    return _away(value, float(rng.choice([-1, 1])) * rng.uniform(0.15, 0.5), greys)


def _away(value: float, step: float, greys: Greys) -> float:
    """`value` plus `step` times the top, at least `greys.least` away, to the side that has room."""
    top, least = greys.top, greys.least
    step = np.sign(step or 1.0) * max(abs(step), least)
    if value + step * top < 0.02 * top:
        step = -step if value < least * top else -(value / top - 0.02)
    elif value + step * top > _BRIGHTEST * top:
        # Where fluid is the brightest there is, nothing brighter would show.
        step = -step if value - step * top > 0 else _BRIGHTEST - value / top
    return float(value + step * top)
