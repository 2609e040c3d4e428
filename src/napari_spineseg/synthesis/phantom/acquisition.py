"""Turns a clean picture into a scan: receive coil, saturation band, blur, Rician noise, integers."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from napari_spineseg.synthesis.phantom.settings import PhantomSettings

# Brightness 1 (CSF in T2 at the coil's usual depth) in stored units; 8 bit leaves head-room for fat.
_UNITS = 100.0
_TOP = 255.0


def acquire(
    image: np.ndarray,
    settings: PhantomSettings,
    depth: np.ndarray,
    ahead: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sample a phantom as a scanner would.

    Parameters
    ----------
    image
        (slices, rows, columns), 1 = CSF in T2.
    depth
        (rows, columns) mm under the skin of the back.
    ahead
        (rows, columns) mm in front of the vertebral bodies.

    Returns
    -------
    int16, 0 to 255, same shape.
    """
    signal = image * receive_profile(settings, depth, image.shape, rng)
    if settings.saturation_band:
        signal = signal * saturation(ahead - rng.uniform(14, 40))
    pixels = [settings.blur_mm / step for step in settings.spacing_mm[1:]]
    signal = gaussian_filter(signal, (0, *pixels))
    return np.rint(np.clip(_rician(signal, settings.noise, rng) * _UNITS, 0, _TOP)).astype(np.int16)


def receive_profile(
    settings: PhantomSettings, depth: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Sensitivity of a spine coil: highest at the skin, halved at `coil_falloff_mm`, weaker at both ends.

    About 1 at the depth of the vertebral bodies. (slices, rows, columns), float32.
    """
    falloff = 1 / (1 + (np.maximum(depth, 0) / settings.coil_falloff_mm) ** 1.6)
    at_body = 1 / (1 + (85 / settings.coil_falloff_mm) ** 1.6)
    slices, rows, columns = (np.linspace(-1, 1, n, dtype=np.float32) for n in shape)
    ends = 1 / (1 + np.abs(rows + rng.normal(0, 0.05)) ** 6 * 0.9)
    phase = rng.uniform(0, 2 * np.pi, 3)
    slow = np.ones(shape, np.float32)
    slow *= (1 + 0.05 * np.sin(1.5 * slices + phase[0]))[:, None, None]
    slow *= ((1 + 0.08 * np.sin(2.5 * rows + phase[1])) * ends)[:, None]
    slow *= 1 + 0.06 * np.sin(2 * columns + phase[2])
    slow *= (falloff / at_body).astype(np.float32)
    return slow


def saturation(beyond: np.ndarray) -> np.ndarray:
    """What a saturation band leaves of the signal, (rows, columns); `beyond` is mm past its edge."""
    return (0.12 + 0.88 / (1 + np.exp(beyond / 3.5))).astype(np.float32)


def _rician(signal: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a complex signal with Gaussian noise (Gudbjartsson and Patz, 1995)."""
    if sigma == 0:
        return signal
    real, imaginary = (
        gaussian_filter(rng.standard_normal(signal.shape, dtype=np.float32), (0, 0.5, 0.5)) for _ in range(2)
    )
    scale = sigma / max(float(real.std()), 1e-6)
    return np.hypot(signal + scale * real, scale * imaginary)
