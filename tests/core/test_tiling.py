from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from napari_spineseg.core.tiling import OVERLAP, gaussian, run_tiled, starts, tiles_of


@pytest.mark.parametrize("size", range(64, 1200, 96))
@pytest.mark.parametrize("tile", [64, 160, 256])
def test_tiles_cover_everything_and_overlap(size, tile):
    size = size // 32 * 32
    at = starts(size, tile, 32)

    assert at[0] == 0
    assert at[-1] == max(0, size - tile)
    assert all(start % 32 == 0 for start in at)
    steps = [b - a for a, b in pairwise(at)]
    assert all(0 < step <= max(32, tile * (1 - OVERLAP) + 32) for step in steps)
    assert all(step < tile for step in steps)


def test_what_fits_is_one_tile():
    (tile,) = tiles_of(512, 640, 640, 64)
    assert (tile.rows, tile.columns) == (slice(0, 512), slice(0, 640))


def test_weights_are_largest_in_the_middle_and_nowhere_nought():
    weights = gaussian(32, 48, torch.device("cpu"))
    assert weights.shape == (32, 48)
    assert weights.min() > 0
    assert weights[16, 24] > 20 * weights[0, 0]
    torch.testing.assert_close(weights, weights.flip(0, 1))


def test_blending_a_pointwise_answer_changes_nothing():
    images = torch.randn(2, 3, 96, 128)
    tiles = tiles_of(96, 128, 48, 16)
    assert len(tiles) > 4
    calls = []

    out = run_tiled(lambda x: x[:, :2] * 3 + 1, images, tiles, lambda: calls.append(1))

    torch.testing.assert_close(out, images[:, :2] * 3 + 1, atol=1e-5, rtol=1e-5)
    assert len(calls) == len(tiles)


def test_seams_stay_small_where_the_network_sees_its_surroundings():
    torch.manual_seed(0)
    smooth = functional.avg_pool2d(torch.randn(1, 1, 128, 128), 9, 1, 4)
    kernel = torch.ones(1, 1, 5, 5) / 25

    def blur(x):
        return functional.conv2d(x, kernel, padding=2)

    whole = blur(smooth)
    tiled = run_tiled(blur, smooth, tiles_of(128, 128, 64, 16), lambda: None)

    # Wrong are only the two outermost pixels of a tile, and those weigh least
    assert (whole - tiled).abs().max() < 0.1 * whole.abs().max()
    assert (whole - tiled).abs().mean() < 0.005 * whole.abs().max()


def test_stopping_ends_between_two_tiles():
    ran = []

    def stop():
        if len(ran) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        run_tiled(lambda x: ran.append(1) or x, torch.zeros(1, 1, 64, 64), tiles_of(64, 64, 32, 16), stop)
    assert len(ran) == 2
