"""Random fields that neighbouring slices share in part: the grain of tissues, a gentle bending of shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_spineseg.synthesis.phantom.settings import PhantomSettings

# Over how many mm sideways tissue resembles itself.
_KINSHIP_MM = 4.0
_BEND_MM = ((4.0, 0.45), (14.0, 1.0))


@dataclass(frozen=True, eq=False)
class Grain:
    """One slice's fields, (rows, columns) float32.

    Attributes
    ----------
    textures
        By kind, unit deviation: mottled (blobs of some mm), streaky (fibres), septate (strands in fat).
    bend
        (2, rows, columns), displacement along rows and columns in pixels.
    """

    textures: dict[str, np.ndarray]
    bend: np.ndarray

    def bent(self, image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image and labels (rows, columns) with their shapes gently bent, so that no edge is ruled."""
        places = np.indices(image.shape, dtype=np.float32) + self.bend
        return (
            map_coordinates(image, places, order=1, mode="nearest"),
            map_coordinates(labels, places, order=0, mode="nearest"),
        )


def draw_grain(settings: PhantomSettings, rng: np.random.Generator) -> Iterator[Grain]:
    """The grain of each slice in turn."""
    shape, step = settings.shape[1:], settings.spacing_mm[1:]
    keep = np.float32(np.exp(-settings.spacing_mm[0] / _KINSHIP_MM))
    # Bending must stay the same person's from slice to slice, so it changes more slowly.
    steady = np.float32(np.exp(-settings.spacing_mm[0] / (4 * _KINSHIP_MM)))
    last = None
    for _ in range(settings.shape[0]):
        fresh = Grain(_textures(rng, shape, step), _bend(rng, shape, step))
        if last is not None:
            textures = {k: _blend(last.textures[k], v, keep) for k, v in fresh.textures.items()}
            fresh = Grain(textures, _blend(last.bend, fresh.bend, steady))
        last = fresh
        yield fresh


def _blend(old: np.ndarray, new: np.ndarray, keep: np.float32) -> np.ndarray:
    return keep * old + np.sqrt(1 - keep * keep) * new


def _textures(rng: np.random.Generator, shape: tuple, step: tuple) -> dict[str, np.ndarray]:
    blobs, grain = (field(rng, shape, (size / step[0], size / step[1])) for size in (2.0, 0.6))
    fibres = sum(_sheared(field(rng, shape, (6 / step[0], 0.9 / step[1])), tilt) for tilt in (0.12, 0.35))
    ridge = _sheared(field(rng, shape, (1.6 / step[0], 4.0 / step[1])), 0.5)
    gaps = field(rng, shape, (5 / step[0], 5 / step[1])) > 0.3
    return {
        "mottled": np.float32(0.65) * blobs + np.float32(0.75) * grain,
        "streaky": fibres * np.float32(0.7),
        "septate": np.float32(0.3) * blobs - 3 * gaps * np.exp(-((ridge / 0.2) ** 2)),
    }


def _bend(rng: np.random.Generator, shape: tuple, step: tuple) -> np.ndarray:
    parts = [
        [
            sum(
                field(rng, shape, (size / step[0], size / step[1])) * np.float32(depth)
                for size, depth in _BEND_MM
            )
        ]
        for _ in range(2)
    ]
    return np.concatenate(parts) / np.array(step, np.float32)[:, None, None]


def field(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """Smooth random field of zero mean and unit deviation; wide ones are drawn coarsely and enlarged."""
    coarse = [max(1, int(s / 2)) for s in sigma]
    small = [n // c + 2 for n, c in zip(shape, coarse, strict=True)]
    noise = rng.standard_normal(small, dtype=np.float32)
    noise = gaussian_filter(noise, [s / c for s, c in zip(sigma, coarse, strict=True)], mode="wrap")
    if max(coarse) > 1:
        rows, columns = (np.arange(n, dtype=np.float32) / c for n, c in zip(shape, coarse, strict=True))
        noise = _enlarged(noise, rows, columns)
    noise = noise[: shape[0], : shape[1]]
    return noise / np.float32(max(noise.std(), 1e-6))


def _enlarged(noise: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Linear interpolation at fractional rows and columns, one axis after the other."""
    for axis, places in enumerate((rows, columns)):
        low = places.astype(int)
        share = (places - low).reshape((-1, 1) if axis == 0 else (1, -1))
        noise = noise.take(low, axis) * (1 - share) + noise.take(low + 1, axis) * share
    return noise


def _sheared(noise: np.ndarray, slope: float) -> np.ndarray:
    """The field with its columns slanted: fibres that run obliquely."""
    rows, columns = np.indices(noise.shape, sparse=True)
    return noise[rows, (columns + np.rint(slope * rows).astype(int)) % noise.shape[1]]
