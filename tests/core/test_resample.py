from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from napari_spineseg.core.resample import Window, interpolate_window, window_of


@pytest.mark.parametrize("target", [(30, 44), (61, 55), (7, 100), (30, 90), (1, 1)])
def test_a_window_equals_the_same_part_of_the_whole(target):
    source = (30, 44)
    image = torch.rand(3, *source)
    whole = functional.interpolate(image[None], target, mode="bilinear", align_corners=False)[0]
    window = Window(0, target[0], target[1] // 3, target[1])

    out = interpolate_window(image, (0, 0), source, target, window)

    torch.testing.assert_close(out, whole[:, *window.slices], atol=1e-5, rtol=1e-5)


def test_part_of_the_source_is_enough_for_part_of_the_target():
    source, target = (40, 50), (65, 31)
    image = torch.rand(2, *source)
    part = Window(8, 30, 10, 45)
    inside = Window(20, 40, 9, 25)  # its pixels need source rows 11 to 25 and columns 14 to 41

    out = interpolate_window(image[:, *part.slices], (part.top, part.left), source, target, inside)

    whole = functional.interpolate(image[None], target, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(out, whole[:, *inside.slices], atol=1e-5, rtol=1e-5)


def test_the_window_around_a_mask():
    mask = torch.zeros(9, 8, dtype=torch.bool)
    assert window_of(mask).empty
    mask[2, 3] = mask[5, 1] = True
    assert window_of(mask) == Window(2, 6, 1, 4)


def test_window_arithmetic():
    window = Window(10, 20, 30, 50)
    assert window.shape == (10, 20)
    assert window.moved(-10, 5) == Window(0, 10, 35, 55)
    assert window.union(Window(0, 0, 0, 0)) == window
    assert Window(0, 0, 0, 0).union(window) == window
    assert window.union(Window(15, 25, 20, 40)) == Window(10, 25, 20, 50)
    assert window.grown(15, 15, 30, 60) == Window(0, 30, 15, 60)
    assert window.aligned(16) == Window(0, 32, 16, 64)


def test_scaling_covers_every_pixel_that_was_covered():
    assert Window(1, 3, 2, 5).scaled((10, 10), (20, 5)) == Window(2, 6, 1, 3)
    assert Window(0, 10, 0, 10).scaled((10, 10), (7, 33)) == Window(0, 7, 0, 33)
    assert Window(3, 4, 3, 4).scaled((10, 10), (3, 3)) == Window(0, 2, 0, 2)
