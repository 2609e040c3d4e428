"""Labels that leave a whole outline behind and are not of the body: bitten off, run over, torn by slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg.measurement import measure
from napari_spineseg.scan import Segmentation
from napari_spineseg.synthesis.ruled import RuledLevel, draw_ruled, rule_spine

SPACING = (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def three() -> Segmentation:
    """L5 to L3, 34 mm deep each, on thin slices. Read-only."""
    drawn = draw_ruled(rule_spine([RuledLevel()] * 3), SPACING, size=(30.0, 0.0, 0.0))
    drawn.labels.setflags(write=False)
    return drawn


def with_front(drawn: Segmentation, label: int, forward: int, slices=slice(None)) -> Segmentation:
    """Labels of which one reaches further to the front by some voxels, or less far."""
    labels = np.array(drawn.labels)
    part = labels[slices]
    there = part == label
    first = np.where(there.any(2), there.argmax(2), -1)
    columns = np.arange(labels.shape[2])
    front = first[..., None] - forward
    if forward > 0:
        more = (columns >= front) & (columns < first[..., None]) & (first[..., None] >= 0)
        part[more & (part == 0)] = label
    else:
        part[there & (columns < front)] = 0
    labels[slices] = part
    return replace(drawn, labels=labels)


def middle_slices(drawn: Segmentation, count: int) -> np.ndarray:
    """Numbers of slices at and beside the middle one."""
    middle = drawn.labels.shape[0] // 2
    return np.arange(middle - count // 2, middle - count // 2 + count)


def cautions(found, level: str) -> set[str]:
    return {figure.caution for key, figure in found.of(level).items() if key != "vertebra_volume"}


@pytest.mark.parametrize(("forward", "words"), [(-9, "26 % less deep"), (10, "29 % more deep")])
def test_a_body_far_less_or_more_deep_than_its_neighbours_is_doubtful(three, forward, words):
    found = measure(with_front(three, 2, forward))
    assert found.of("L4")["body_depth"].value == pytest.approx(34 + forward, abs=0.3)
    (said,) = cautions(found, "L4")
    assert f"L4 is {words} than what lies near it (L3, L5)" in said
    # What is taken between it and a neighbour says so too; the neighbours are as they were.
    assert said in found.of("L4/L5")["slip"].caution and said in found.of("L3/L4")["disc_angle"].caution
    assert cautions(found, "L5") == cautions(found, "L3") == {""}


@pytest.mark.parametrize("forward", [0, -5, 6])
def test_as_much_as_bodies_of_people_differ_is_not_doubtful(three, forward):
    found = measure(with_front(three, 2, forward))
    assert {*cautions(found, "L5"), *cautions(found, "L4"), *cautions(found, "L3")} == {""}


def test_one_neighbour_is_enough_and_none_is_not_compared(three):
    above = replace(three, labels=np.where(three.labels == 3, 0, three.labels).astype(np.uint16))
    found = measure(with_front(above, 2, -9)).of("L4")["body_depth"]
    assert "less deep than what lies near it (L5)" in found.caution
    alone = replace(above, labels=np.where(above.labels == 1, 0, above.labels).astype(np.uint16))
    assert not measure(with_front(alone, 2, -9)).of("L4")["body_depth"].caution


def test_slices_that_disagree_on_a_body_are_not_measured(three):
    """Most slices of the band agree on a whole outline, but a third of them reach far beyond it."""
    found = measure(with_front(three, 2, 16, middle_slices(three, 3))).of("L4")
    for key in ("body_depth", "body_height_anterior", "wedge_ratio"):
        assert found[key].value is None and "outline is broken" in found[key].reason
    # One stray slice of the band is outvoted.
    found = measure(with_front(three, 2, 16, middle_slices(three, 1))).of("L4")
    assert found["body_depth"].value == pytest.approx(34, abs=0.3)


@pytest.mark.parametrize(("count", "forward"), [(1, 16), (3, 12), (4, 20), (3, -12)])
def test_slices_that_disagree_on_where_a_disc_ends_are_not_measured(three, count, forward):
    """Three of eight are enough to draw the end of their mean out with them."""
    found = measure(with_front(three, 202, forward, middle_slices(three, count))).of("L4/L5")
    for key in ("disc_depth", "disc_height_anterior", "disc_height_index"):
        assert found[key].value is None and "do not agree on where it ends" in found[key].reason


def test_slices_that_disagree_a_little_on_a_disc_are_doubtful(three):
    found = measure(with_front(three, 202, 8, middle_slices(three, 3))).of("L4/L5")
    assert "up to 8 mm apart" in found["disc_depth"].caution
    assert "up to 8 mm apart" in found["disc_height_anterior"].caution
    found = measure(with_front(three, 202, 4, middle_slices(three, 3))).of("L4/L5")
    assert not found["disc_depth"].caution


def test_a_film_before_a_disc_is_not_measured_with_it(three):
    """Too thin to move the disc's end, too much to be left out in silence."""
    wide = with_front(three, 202, 30)
    film = (wide.labels == 202) & (three.labels == 0)
    top = np.where(film.any(1), film.argmax(1), 0)[:, None]
    down = np.arange(film.shape[1])[None, :, None] - top
    labels = np.where(film & (down >= 2), 0, wide.labels).astype(np.uint16)
    found = measure(replace(three, labels=labels)).of("L4/L5")["disc_depth"]
    assert found.value is None and "outline is broken" in found.reason
