"""Findings in every part of a spine whose parts are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.tumours import FindSettings, find
from napari_spineseg.tumours.listing import listed

SPACING = (2.0, 1.0, 1.0)
HEIGHT, DISC, LEVELS = 26, 8, 5


def top_of(label: int) -> int:
    """First row of a body; 5 is the highest."""
    return 12 + (LEVELS - label) * (HEIGHT + DISC)


def spine() -> np.ndarray:
    """A ruled spine with arches, (slices, rows, columns) `levels`: L1 (5) to L5 (1).

    The canal is in slices 11 to 18 and columns 56 to 71; to its sides are pedicles and foramina.
    """
    out = np.zeros((30, 200, 120), np.uint16)
    out[11:19, :, 56:72] = 100
    for label in range(LEVELS, 0, -1):
        top = top_of(label)
        out[5:25, top : top + HEIGHT, 20:54] = label
        out[5:25, top + HEIGHT : top + HEIGHT + DISC, 20:54] = 200 + label
        for pedicle in (slice(6, 11), slice(19, 24)):
            out[pedicle, top : top + 13, 54:68] = label
            out[pedicle, top : top + HEIGHT + 4, 68:76] = label
        out[8:22, top + 10 : top + HEIGHT, 72:76] = label
        out[13:17, top + 12 : top + HEIGHT, 76:98] = label
    return out


def ball(centre: tuple[int, int, int], radius_mm: float) -> np.ndarray:
    """Bool, the shape of the spine."""
    grids = np.ogrid[tuple(slice(0, n) for n in spine().shape)]
    return sum(((g - c) * mm) ** 2 for g, c, mm in zip(grids, centre, SPACING, strict=True)) <= radius_mm**2


# Also what the bundled model is not believed about.
EVERYTHING = FindSettings(least_ml=0, beside=True, reach_mm=100)
IN_FORAMEN, IN_DISC = 17 + HEIGHT // 2 - 8, HEIGHT + DISC // 2
PLACES = [
    ((15, top_of(3) + 13, 37), 8, "L3 body"),
    ((22, top_of(3) + 13, 45), 5, "L3 body"),
    ((8, top_of(5) + IN_FORAMEN, 60), 5, "L1/L2 foramen"),
    ((21, top_of(4) + IN_FORAMEN, 60), 5, "L2/L3 foramen"),
    ((21, top_of(4) + IN_FORAMEN, 56), 4, "L2/L3 foramen"),
    ((8, top_of(1) + IN_FORAMEN, 60), 4, "L5/S1 foramen"),
    ((8, top_of(4) + 6, 61), 4, "L2 posterior elements"),
    ((15, top_of(4) + 20, 88), 4, "L2 posterior elements"),
    ((21, top_of(2) + 22, 72), 3, "L4 posterior elements"),
    ((15, top_of(2) + IN_DISC, 37), 3, "L4/L5 disc"),
    ((15, top_of(4) + 13, 64), 4, "intradural at L2"),
    ((15, top_of(3) + 13, 55), 4, "epidural at L3"),
    ((1, top_of(3) + 13, 40), 5, "paravertebral at L3"),
    ((2, top_of(3) + IN_FORAMEN, 62), 3, "paravertebral at L3"),
    ((15, top_of(3) + 13, 14), 4, "paravertebral at L3"),
]


def where(mask: np.ndarray, levels: np.ndarray) -> list[str]:
    return [f.where for f in find(mask, None, levels, SPACING, settings=EVERYTHING)[1]]


@pytest.mark.parametrize(("centre", "radius", "place"), PLACES)
def test_a_finding_is_called_by_the_part_that_it_lies_in(centre, radius, place):
    assert where(ball(centre, radius), spine()) == [place]


@pytest.mark.parametrize(("centre", "radius", "place"), PLACES)
def test_so_is_one_that_took_the_place_of_the_labels(centre, radius, place):
    """An outline that somebody drew: what was under it is gone."""
    labels = np.where(ball(centre, radius), np.uint16(301), spine())
    assert [record["where"] for record in listed(labels, SPACING)] == [place]


def test_a_mirrored_spine_has_the_same_places():
    mask = ball((8, top_of(5) + IN_FORAMEN, 60), 5)
    assert where(mask[::-1], spine()[::-1]) == where(mask, spine()) == ["L1/L2 foramen"]


def test_a_foramen_whose_pedicles_nobody_labelled_is_not_guessed():
    levels = spine()
    levels[..., 54:] = np.where(levels[..., 54:] == 100, 100, 0)
    assert where(ball((8, top_of(5) + IN_FORAMEN, 60), 4), levels) == ["beside L1"]


def test_without_a_canal_bone_is_a_vertebra():
    """Nothing tells a body from its arch then."""
    levels = np.where(spine() == 100, 0, spine())
    assert where(ball((15, top_of(3) + 13, 37), 6), levels) == ["L3 vertebra"]
    assert where(ball((15, top_of(3) + 13, 14), 4), levels) == ["beside L3"]


def test_a_finding_in_a_foramen_is_kept_and_one_in_a_disc_is_left_out():
    """The bundled model knows tumours of bone and canal and of what is next to them."""
    in_foramen, in_disc = ball((8, top_of(5) + IN_FORAMEN, 60), 5), ball((15, top_of(2) + IN_DISC, 37), 3)
    kept = find(in_foramen | in_disc, None, spine(), SPACING)[1]
    assert [f.where for f in kept] == ["L1/L2 foramen"]
