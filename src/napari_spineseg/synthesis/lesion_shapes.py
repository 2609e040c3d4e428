"""What outline a lesion has: closed surfaces from a few numbers and a seed, at any point in space.

A shape is a function of position, not an array: three slices 4 mm apart and a stack of thin ones
see the same lesion, and a training sample costs no more than the pixels it shows.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Form = Literal["bumpy", "lobed", "boxy", "dumbbell", "spiky", "crescent", "ragged", "budding", "bent"]
Points = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x (to the right), y (down), z (to the back), mm, broadcasting against each other."""

_WAVES = 7


def signed_distance(
    form: Form, centre: tuple[float, float, float], radii: tuple[float, float, float], seed: int, at: Points
) -> np.ndarray:
    """About how many mm each point lies outside the surface; negative inside.

    Parameters
    ----------
    form
        `bumpy`: an ellipsoid with swellings. `lobed`: several spheres grown together. `boxy`: a
        rounded block. `dumbbell`: two balls and a waist along the longest radius. `spiky`: a core with
        pointed spurs. `crescent`: an ellipsoid with a bay. `ragged`: where a random field is high.
        `budding`: a large lobe with small ones on it. `bent`: a curved sausage.
    centre, radii
        mm along x, y and z.
    seed
        Decides swellings, lobes and how the shape is turned.
    """
    rng = np.random.default_rng([seed, 17])
    q = _turned(tuple((p - c) / r for p, c, r in zip(at, centre, radii, strict=True)), rng.uniform(-0.5, 0.5))
    size = float(np.prod(radii)) ** (1 / 3)
    if form == "lobed":
        return _lobes(q, rng) * size
    if form == "dumbbell":
        return _dumbbell(q, int(np.argmax(radii)), rng) * size
    if form in _OTHERS:
        return _OTHERS[form](q, rng) * np.float32(size)
    power = 4 if form == "boxy" else 2
    norm = sum(np.abs(c) ** power for c in q) ** (1 / power)
    bumps = rng.uniform(0.03, 0.08) if form == "boxy" else rng.uniform(0.05, 0.17)
    return (norm - 1 - bumps * _swellings(q, rng)) * size


def waves(
    at: Points, period_mm: float, seed: int, stretch: tuple[float, float, float] = (1, 1, 1)
) -> np.ndarray:
    """A texture: a sum of plane waves of about `period_mm`, mean 0, standard deviation about 1.

    `stretch` lengthens the period along x, y and z.
    """
    rng = np.random.default_rng([seed, 23])
    out = np.zeros(np.broadcast_shapes(*(p.shape for p in at)), np.float32)
    for _ in range(_WAVES):
        direction = rng.normal(size=3)
        direction *= 2 * np.pi / (period_mm * np.linalg.norm(direction) * rng.uniform(0.7, 1.5))
        phase = rng.uniform(0, 2 * np.pi)
        out += np.cos(
            sum(np.float32(d / s) * p for d, s, p in zip(direction, stretch, at, strict=True)) + phase
        )
    return out * np.float32(np.sqrt(2 / _WAVES))


def capsule(at: Points, start: tuple[float, float, float], end: tuple[float, float, float]) -> np.ndarray:
    """Distance in mm to the line from `start` to `end`."""
    along = np.subtract(end, start)
    offset = [p - s for p, s in zip(at, start, strict=True)]
    share = sum(o * a for o, a in zip(offset, along, strict=True)) / max(float(along @ along), 1e-6)
    share = np.clip(share, 0, 1)
    return np.sqrt(sum((o - share * a) ** 2 for o, a in zip(offset, along, strict=True)))


def _turned(q: Points, angle: float) -> Points:
    """Turned within the sagittal plane."""
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return q[0], q[1] * c - q[2] * s, q[1] * s + q[2] * c


def _swellings(q: Points, rng: np.random.Generator, pitches: float = 2.2) -> np.ndarray:
    """A smooth function of the direction, standard deviation about 1; rougher with larger `pitches`."""
    norm = np.sqrt(sum(c**2 for c in q)) + 1e-3
    out = np.zeros(norm.shape, np.float32)
    for _ in range(_WAVES):
        pitch, phase = rng.normal(0, pitches, 3), rng.uniform(0, 2 * np.pi)
        out += np.cos(sum(np.float32(w) * c for w, c in zip(pitch, q, strict=True)) / norm + phase)
    return out * np.float32(np.sqrt(2 / _WAVES))


def _lobes(q: Points, rng: np.random.Generator) -> np.ndarray:
    parts = []
    for _ in range(rng.integers(3, 6)):
        place, radius = rng.uniform(-0.5, 0.5, 3), rng.uniform(0.45, 0.7)
        parts.append(np.sqrt(sum((c - p) ** 2 for c, p in zip(q, place, strict=True))) - radius)
    return _joined(parts)


def _dumbbell(q: Points, axis: int, rng: np.random.Generator) -> np.ndarray:
    apart, waist = rng.uniform(0.45, 0.6), rng.uniform(0.2, 0.35)
    ends = []
    for side, radius in ((-1, rng.uniform(0.42, 0.55)), (1, rng.uniform(0.42, 0.55))):
        ends.append(np.sqrt(sum((c - side * apart * (k == axis)) ** 2 for k, c in enumerate(q))) - radius)
    start, end = [tuple(side * apart * (k == axis) for k in range(3)) for side in (-1, 1)]
    return _joined([*ends, capsule(q, start, end) - waist])


def _spiky(q: Points, rng: np.random.Generator) -> np.ndarray:
    norm = np.sqrt(sum(c**2 for c in q))
    spurs = np.maximum(_swellings(q, rng, 4.0), 0) ** 2
    return norm - 0.8 - np.float32(rng.uniform(0.08, 0.16)) * spurs


def _crescent(q: Points, rng: np.random.Generator) -> np.ndarray:
    # Further off, the exponentials of `_joined` would overflow.
    norm = np.minimum(np.sqrt(sum(c**2 for c in q)), 4)
    away = rng.normal(size=3) * (0.3, 1, 1)
    away *= rng.uniform(0.8, 1.1) / np.linalg.norm(away)
    bay = rng.uniform(0.55, 0.85) - np.sqrt(sum((c - a) ** 2 for c, a in zip(q, away, strict=True)))
    # The inside is where neither is positive, rounded where they meet.
    return -_joined([1 - norm + np.float32(0.05) * _swellings(q, rng), -bay], 0.05)


def _ragged(q: Points, rng: np.random.Generator) -> np.ndarray:
    norm = np.sqrt(sum(c**2 for c in q))
    coarse, fine = (waves(q, period, int(rng.integers(2**31))) for period in (1.3, 0.55))
    return norm - 0.9 - np.float32(rng.uniform(0.1, 0.25)) * (coarse + np.float32(0.4) * fine)


def _budding(q: Points, rng: np.random.Generator) -> np.ndarray:
    parts = [np.sqrt(sum(c**2 for c in q)) - 0.72]
    for _ in range(rng.integers(4, 10)):
        at = rng.normal(size=3)
        at *= rng.uniform(0.65, 0.9) / np.linalg.norm(at)
        near = np.sqrt(sum((c - p) ** 2 for c, p in zip(q, at, strict=True)))
        parts.append(near - rng.uniform(0.15, 0.4))
    return _joined(parts, 0.06)


def _bent(q: Points, rng: np.random.Generator) -> np.ndarray:
    turned = _turned(q, rng.uniform(0, np.pi))
    along, bow = turned[1], rng.uniform(-0.45, 0.45)
    across = turned[2] - np.float32(bow) * (along**2 - np.float32(0.4))
    radius = rng.uniform(0.42, 0.62)
    beyond = np.maximum(np.abs(along) - np.float32(1.1 - radius), 0)
    return np.sqrt(turned[0] ** 2 + beyond**2 + across**2) - radius


_OTHERS = {"spiky": _spiky, "crescent": _crescent, "ragged": _ragged, "budding": _budding, "bent": _bent}


def _joined(parts: list[np.ndarray], soft: float = 0.12) -> np.ndarray:
    """Union with rounded seams."""
    return -np.float32(soft) * np.log(sum(np.exp(-part / np.float32(soft)) for part in parts))
