"""Colours of structures are far enough apart to be told from each other, also by the colour-blind."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import rgb2lab

from napari_spineseg.anatomy import Structure, colour_of

VERTEBRAE, CANAL, DISCS = range(1, 26), 100, range(201, 226)
LEVELS = (*VERTEBRAE, *DISCS)
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


# A disc lies below the vertebra of its number; all of them lie along the canal.
TOUCHING = [
    *((level, CANAL) for level in LEVELS),
    *((n, n + 1) for numbers in (VERTEBRAE, DISCS) for n in numbers[:-1]),
    *((n, 200 + n) for n in VERTEBRAE),
    *((n, 201 + n) for n in VERTEBRAE[:-1]),
]
ORANGE_AND_YELLOW = {"#e69f00", "#f0e442"}  # as near as Okabe and Ito have them


@pytest.mark.parametrize(("cone", "least"), [(None, 36), ("red", 20), ("green", 20), ("blue", 12)])
def test_levels_differ_from_what_they_touch(cone, least):
    near = {pair: d for pair in TOUCHING if (d := apart(*pair, cone)) < least}
    assert all({colour_of(label) for label in pair} == ORANGE_AND_YELLOW for pair in near), near
    assert min(apart(*pair, cone) for pair in TOUCHING) >= (17 if cone in ("red", "green") else least - 2)


@pytest.mark.parametrize(("cone", "least"), [(None, 15), ("red", 9), ("green", 9), ("blue", 7)])
def test_no_two_colours_of_levels_are_alike(cone, least):
    assert min(apart(*pair, cone) for pair in combinations(OTHERS, 2)) >= least


def test_the_lowest_levels_have_the_colours_of_their_kind():
    assert colour_of(1) == colour_of(Structure.VERTEBRA, "structures")
    assert colour_of(201) == colour_of(Structure.DISC, "structures")


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
