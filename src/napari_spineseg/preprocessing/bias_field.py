"""The bias field of a scan: N4 (Tustison et al., IEEE TMI 2010) on a shrunken copy, in torch.

The steps and constants are those of ITK's `N4BiasFieldCorrectionImageFilter`: sharpen the
histogram of the log image by Wiener deconvolution, take what that changed as an estimate of the
log bias field, smooth it by a cubic B-spline lattice fitted to it (Lee et al., "Scattered data
interpolation with multilevel B-splines", 1997), repeat; then double the lattice.

On a regular grid the fit's sums over voxels separate into one small matrix an axis, so that an
iteration takes milliseconds where the general filter takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from napari_spineseg.progress import Control

STAGE = "Estimating the bias field"
_BINS = 200
_FWHM = 0.15
_WIENER_NOISE = 0.01
_FIRST_CONTROL_POINTS = 4
_ORDER = 3
_TINY = 1e-10


@dataclass(frozen=True, eq=False)
class BiasField:
    """Control points of the log field, one lattice a level; their sum is the field.

    Attributes
    ----------
    lattices
        Each (a, b, c) float64, over the whole field of view.
    """

    lattices: tuple[np.ndarray, ...]

    def slab(self, shape: Sequence[int], start: int, stop: int) -> torch.Tensor:
        """The log field of slices start..stop along the first axis of a (n, h, w) grid, float32."""
        total = torch.zeros((stop - start, *shape[1:]))
        for lattice in self.lattices:
            bases = [torch.from_numpy(basis(n, c)).float() for n, c in zip(shape, lattice.shape, strict=True)]
            bases[0] = bases[0][start:stop]
            total += expand(torch.from_numpy(lattice).float(), bases)
        return total


def basis(samples: int, control_points: int) -> np.ndarray:
    """(samples, control_points) float64: uniform cubic B-splines over the field of view.

    Voxel centres lie at (i + 0.5) / samples of the lattice's span, so that copies of a scan at
    different resolutions have one and the same field.
    """
    mesh = control_points - _ORDER
    at = (np.arange(samples) + 0.5) / samples * mesh
    first = np.minimum(at.astype(int), mesh - 1)
    t = at - first
    parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    out = np.zeros((samples, control_points))
    for offset, part in enumerate(parts):
        out[np.arange(samples), first + offset] = part / 6
    return out


def expand(lattice: torch.Tensor, bases: Sequence[torch.Tensor]) -> torch.Tensor:
    """Sum over control points along each axis: (a, b, c) with bases (n, a), (h, b), (w, c) -> (n, h, w)."""
    for axis, weights in enumerate(bases):
        lattice = torch.movedim(torch.tensordot(weights, lattice, dims=([1], [axis])), 0, axis)
    return lattice


def estimate(
    values: np.ndarray, mask: np.ndarray, levels: int, iterations: int, threshold: float, control: Control
) -> BiasField:
    """Fit the field.

    Parameters
    ----------
    values
        (n, h, w), positive where `mask` is true: a shrunken copy of the scan.
    mask
        (n, h, w) bool, tissue.
    levels, iterations
        Each level doubles the lattice; iterations a level.
    threshold
        A level ends when the coefficient of variation of a change is below it.
    """
    weight = torch.from_numpy(mask.astype(np.float64))
    inside = weight > 0
    log = torch.zeros(weight.shape, dtype=torch.float64)
    log[inside] = torch.from_numpy(np.log(values[mask].astype(np.float64)))
    field = torch.zeros_like(log)
    lattices = []
    for level in range(levels):
        points = [_FIRST_CONTROL_POINTS - _ORDER << level] * 3
        fit = _Fit([basis(n, p + _ORDER) for n, p in zip(log.shape, points, strict=True)], weight)
        lattice = torch.zeros([p + _ORDER for p in points], dtype=torch.float64)
        for iteration in range(iterations):
            corrected = (log - field)[inside]
            residual = torch.zeros_like(log)
            residual[inside] = corrected - sharpen(corrected)
            update = fit(residual)
            change = expand(update, fit.bases)
            lattice += update
            field += change
            control.step(STAGE, level * iterations + iteration + 1, levels * iterations)
            factor = torch.exp(change[inside])
            if float(factor.std() / factor.mean()) < threshold:
                break
        lattices.append(lattice.numpy())
    return BiasField(tuple(lattices))


class _Fit:
    """The B-spline approximation of masked values on a regular grid."""

    def __init__(self, bases: Sequence[np.ndarray], weight: torch.Tensor) -> None:
        self.bases = [torch.from_numpy(b) for b in bases]
        self.weight = weight
        # A voxel's own estimate of a control point is w·z / Σw²; control points average these with
        # weights w²: Σ w³·z / Σw² over Σ w². Each of w³, Σw² and w² is a product over axes.
        self.third = [(b**3 / (b**2).sum(1, keepdim=True)).T.contiguous() for b in self.bases]
        self.total = expand(weight, [(b**2).T.contiguous() for b in self.bases])

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Control points, (a, b, c)."""
        sums = expand(values * self.weight, self.third)
        return torch.where(self.total > _TINY, sums / self.total.clamp_min(_TINY), 0.0)


def sharpen(values: torch.Tensor) -> torch.Tensor:
    """(n,) log values as they would be if the field had not blurred their histogram."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-9:
        return values
    width = (high - low) / (_BINS - 1)
    at = (values - low) / width
    below = at.floor().clamp_max(_BINS - 2)
    share = at - below
    below = below.long()
    histogram = torch.bincount(below, 1 - share, _BINS) + torch.bincount(below + 1, share, _BINS)
    table = torch.from_numpy(_deconvolved(histogram.numpy(), low, width))
    return torch.lerp(table[below], table[below + 1], share)


def _deconvolved(histogram: np.ndarray, low: float, width: float) -> np.ndarray:
    """(bins,) the expected true log value of each bin."""
    padded = 2 ** (int(np.ceil(np.log2(_BINS))) + 1)
    offset = (padded - _BINS) // 2
    counts = np.zeros(padded)
    counts[offset : offset + _BINS] = histogram
    fwhm = _FWHM / width
    distance = np.minimum(np.arange(padded), padded - np.arange(padded))
    kernel = 2 * np.sqrt(np.log(2) / np.pi) / fwhm * np.exp(-4 * np.log(2) * (distance / fwhm) ** 2)
    blur = np.fft.fft(kernel)
    wiener = np.conj(blur) / (np.conj(blur) * blur + _WIENER_NOISE)
    true = np.clip(np.fft.ifft(np.fft.fft(counts) * wiener.real).real, 0, None)
    centres = low + (np.arange(padded) - offset) * width
    above = np.fft.ifft(np.fft.fft(centres * true) * blur).real
    under = np.fft.ifft(np.fft.fft(true) * blur).real
    expected = np.divide(above, under, out=np.zeros(padded), where=np.abs(under) > _TINY)
    return expected[offset : offset + _BINS]
