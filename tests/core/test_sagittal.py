from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.resample import Window
from napari_spineseg.core.sagittal import SagittalSlices

SPEC = InputSpec(spacing_mm=1.0, stride=8, neighbours=1, neighbour_mm=4.0)


def slices_of(volume: np.ndarray, spacing=(4.0, 1.0, 1.0), spec=SPEC) -> SagittalSlices:
    return SagittalSlices(volume, spacing, spec)


def noise(shape=(5, 20, 30), dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 100, shape).astype(dtype)


def test_sizes_on_the_networks_grid():
    slices = slices_of(noise(), spacing=(4, 0.5, 0.25))
    assert slices.size == (10, 8)
    assert slices.padded == (16, 8)
    assert slices.working_spacing == pytest.approx((4, 1.0, 30 * 0.25 / 8))
    assert slices.stack([1, 2]).shape == (2, 3, 16, 8)


def test_neighbours_are_a_few_millimetres_away_and_clamped_at_the_ends():
    volume = noise((9, 16, 16))
    slices = slices_of(volume, spacing=(2.0, 1, 1))
    alone = [slices.stack([i])[0, 1] for i in range(9)]

    torch.testing.assert_close(slices.stack([4])[0], torch.stack([alone[2], alone[4], alone[6]]))
    torch.testing.assert_close(slices.stack([0])[0], torch.stack([alone[0], alone[0], alone[2]]))


def test_a_window_is_the_same_part_of_the_whole():
    slices = slices_of(noise((3, 30, 30)))
    window = Window(8, 24, 0, 16)
    torch.testing.assert_close(slices.stack([1], window), slices.stack([1])[:, :, *window.slices])


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", ">u4", "i8", "f2", ">f4", "f8", "?"])
def test_any_real_type_gives_the_same_input(dtype):
    volume = noise() > 50
    expected = slices_of(volume.astype(np.float32)).stack([2])
    torch.testing.assert_close(slices_of(volume.astype(dtype)).stack([2]), expected)


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e300])
def test_scale_does_not_matter(scale):
    volume = noise().astype(np.float64)
    expected = slices_of(volume).stack([2])
    torch.testing.assert_close(slices_of(volume * scale).stack([2]), expected, atol=1e-4, rtol=1e-4)


def test_what_is_not_a_number_is_background():
    volume = noise()
    volume[:, 0, 0] = 0
    expected = slices_of(volume).stack([2])
    volume[2, 5:8, 5:8] = [np.nan, np.inf, -np.inf]
    slices = slices_of(volume)
    out = slices.stack([2])

    assert torch.isfinite(out).all()
    assert slices.not_finite
    outside = torch.ones(out.shape[2:], dtype=torch.bool)
    outside[5:8, 5:8] = False
    assert (out - expected)[0, 1][outside].abs().max() < 0.2
    assert out[0, 1, 6, 6] == out[0, 1].min()


def test_a_slice_without_a_single_number_is_empty():
    volume = noise()
    volume[1] = np.nan
    volume[2] = 7
    slices = slices_of(volume)
    assert [slices.is_empty(i) for i in range(5)] == [False, True, True, False, False]
    assert torch.isfinite(slices.stack([1, 2])).all()


def test_arrays_that_cannot_be_written_to_are_read_in_silence():
    volume = noise()
    volume.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slices_of(volume).stack([0])


def test_the_scan_is_not_changed():
    volume = noise()
    before = volume.copy()
    slices_of(volume, spec=SPEC.model_copy(update={"normalise": "minmax"})).stack(list(range(5)))
    np.testing.assert_array_equal(volume, before)


def test_only_a_few_large_slices_are_kept(monkeypatch):
    monkeypatch.setattr("napari_spineseg.core.sagittal._KEEP_BYTES", 4 * 24 * 32 * 2)
    slices = slices_of(noise((40, 20, 30)))
    for i in range(40):
        slices.stack([i])
    assert len(slices._kept) == 3  # a slice and its two neighbours
