"""Colours of structures are far enough apart to be told from each other, also by the colour-blind."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_spineseg.anatomy import Structure, colour_of

TUMOURS = range(301, 309)
OTHERS = (*range(1, 7), 100, *range(201, 207))

# What is left of linear RGB without one kind of cone: Machado, Oliveira & Fernandes 2009, severity 1.
SEEN_WITHOUT = {
    "red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(label: int, without: str | None = None) -> np.ndarray:
    """The CIE Lab values of a label's colour, as it is seen without one kind of cone."""
    text = colour_of(label)
    rgb = np.array([int(text[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    if without is not None:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = (np.array(SEEN_WITHOUT[without]) @ linear).clip(0, 1)
        rgb = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return rgb2lab(rgb[None, None])[0, 0]


def apart(first: int, second: int, without: str | None = None) -> float:
    """How far two labels' colours are apart: the distance in CIE Lab (1976)."""
    return float(np.linalg.norm(lab(first, without) - lab(second, without)))


PAIRS = [*combinations(TUMOURS, 2), *((tumour, other) for tumour in TUMOURS for other in OTHERS)]


def test_eight_tumours_differ_from_each_other_and_from_all_else():
    assert min(apart(*pair) for pair in PAIRS) >= 29


def test_tumours_that_follow_in_number_differ_more():
    assert min(apart(n, n + 1) for n in TUMOURS) >= 55


@pytest.mark.parametrize("cone", SEEN_WITHOUT)
def test_they_differ_to_the_colour_blind(cone):
    assert min(apart(*pair, cone) for pair in PAIRS) >= 15


def test_the_first_tumour_has_the_colour_of_its_kind():
    assert colour_of(301) == colour_of(Structure.TUMOUR, "structures")


@pytest.mark.parametrize("label", TUMOURS)
def test_no_tumour_is_as_grey_or_as_dark_as_a_scan(label):
    lightness, *chroma = lab(label)
    assert lightness >= 34 and np.hypot(*chroma) >= 37
