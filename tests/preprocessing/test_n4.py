"""N4 against a field that is known, and against ITK's own filter."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from napari_spineseg.preprocessing.bias_field import basis, estimate, expand, sharpen
from napari_spineseg.preprocessing.n4 import N4, shrunken
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

SHAPE = (10, 24, 20)


@pytest.fixture(scope="module")
def shaded():
    """Three tissues under a smooth field: values, mask, and the log field."""
    rng = np.random.default_rng(1)
    z, y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    field = 0.5 * y[None, :, None] - 0.3 * x**2 + 0.2 * z[:, None, None] * y[None, :, None]
    tissue = np.kron(rng.choice([120.0, 260.0, 430.0], (5, 6, 5)), np.ones((2, 4, 4)))
    mask = (y[:, None] ** 2 + x**2 < 0.9) & np.ones(SHAPE, bool)
    values = tissue * np.exp(field) * (1 + rng.normal(0, 0.02, SHAPE))
    return np.where(mask, values, 1.0).astype(np.float32), mask, field


def test_splines_sum_to_one_everywhere():
    for points in (4, 5, 11):
        assert np.allclose(basis(37, points).sum(1), 1)


def test_a_known_field_is_found(shaded):
    values, mask, field = shaded
    found = estimate(values, mask, 2, 50, 1e-4, Control()).slab(SHAPE, 0, SHAPE[0]).numpy()
    error = (found - field)[mask]
    # A constant factor cannot be known.
    assert (error - error.mean()).std() < 0.35 * field[mask].std()
    assert np.corrcoef(found[mask], field[mask])[0, 1] > 0.95


def test_the_field_is_itks(shaded):
    values, mask, _ = shaded
    ours = estimate(values, mask, 2, 15, 0.0, Control()).slab(SHAPE, 0, SHAPE[0]).numpy()
    correct = sitk.N4BiasFieldCorrectionImageFilter()
    correct.SetMaximumNumberOfIterations([15, 15])
    correct.SetConvergenceThreshold(0.0)
    image = sitk.GetImageFromArray(values)
    correct.Execute(image, sitk.GetImageFromArray(mask.astype(np.uint8)))
    theirs = sitk.GetArrayFromImage(correct.GetLogBiasFieldAsImage(image))
    difference = (ours - theirs)[mask]
    assert np.corrcoef(ours[mask], theirs[mask])[0, 1] > 0.99
    assert (difference - difference.mean()).std() < 0.1 * theirs[mask].std()


def test_sharpening_keeps_the_order_and_narrows_peaks():
    import torch

    rng = np.random.default_rng(0)
    values = torch.from_numpy(np.concatenate([rng.normal(1, 0.08, 4000), rng.normal(2, 0.08, 4000)]))
    sharp = sharpen(values)
    assert float(sharp[:4000].std()) < 0.6 * float(values[:4000].std())
    assert float(sharp[4000:].mean() - sharp[:4000].mean()) == pytest.approx(1, abs=0.05)


def test_a_field_reads_the_same_at_any_resolution():
    import torch

    lattice = torch.from_numpy(np.random.default_rng(0).random((4, 4, 4)))
    fine = expand(lattice, [torch.from_numpy(basis(40, 4))] * 3).numpy()
    coarse = expand(lattice, [torch.from_numpy(basis(10, 4))] * 3).numpy()
    assert np.abs(fine.reshape(10, 4, 10, 4, 10, 4).mean((1, 3, 5)) - coarse).max() < 0.01


def test_shrinking_takes_means_of_the_whole_scan():
    voxels = np.random.default_rng(0).random((5, 13, 16)).astype(np.float32)
    small = shrunken(Scan(voxels, np.diag([4.0, 1, 1, 1])), 4.0)
    assert small.shape == (5, 3, 4)
    assert small[2, 0, 1] == pytest.approx(voxels[2, :4, 4:8].mean(), rel=1e-5)
    assert small[0, 2].mean() == pytest.approx(voxels[0, 9:].mean(), rel=1e-5)


def test_the_step_divides_the_field_out(shaded):
    values, mask, field = shaded
    after = N4(levels=2)(Scan(values, np.diag([4.0, 4, 4, 1]))).voxels
    left = np.log(after[mask] / values[mask]) + field[mask]
    assert after.dtype == np.float32
    assert left.std() < 0.4 * field[mask].std()
