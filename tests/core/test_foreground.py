from __future__ import annotations

import torch

from napari_spineseg.core.foreground import Foreground
from napari_spineseg.core.resample import Window


def plan(slices=17, spacing=(4.0, 0.5, 0.5), padded=(512, 512), step=1) -> Foreground:
    return Foreground(list(range(0, slices, step)), spacing, padded, 64)


def mask(top: int, bottom: int, left: int, right: int, shape=(512, 512)) -> torch.Tensor:
    out = torch.zeros(shape, dtype=torch.bool)
    out[top:bottom, left:right] = True
    return out


def test_whole_slices_are_16_mm_apart_and_take_in_both_ends():
    assert plan().first == [0, 4, 8, 12, 16]
    assert plan(18).first == [0, 4, 8, 12, 16, 17]
    assert plan(1).first == [0]
    assert plan(100, (0.9, 0.5, 0.5)).first == [*range(0, 100, 17), 99]
    assert plan(81, (0.4, 0.5, 0.5), step=2).first == [0, 40, 80]
    assert plan(5, (30.0, 0.5, 0.5)).others == []


def test_the_others_are_looked_at_around_what_was_found():
    foreground = plan()
    for i in foreground.first:
        foreground.saw(i, mask(200, 300, 250, 280) if i == 8 else None, (0, 0))

    # 20 mm are 40 pixels, 50 mm below are 100: rows 160 to 400, columns 210 to 320, out to multiples of 64
    assert foreground.window() == Window(128, 448, 192, 320)
    assert foreground.worth_a_look() == [5, 6, 7, 9, 10, 11]


def test_specks_are_not_followed():
    foreground = plan()
    for i in foreground.first:
        foreground.saw(i, mask(200, 300, 250, 280) | mask(5, 10, 5, 10), (0, 0))
    assert foreground.window() == Window(128, 448, 192, 320)


def test_everything_is_looked_at_where_nothing_was_found():
    foreground = plan()
    for i in foreground.first:
        foreground.saw(i, mask(5, 10, 5, 10), (0, 0))
    assert foreground.window() == foreground.whole
    assert foreground.worth_a_look() == foreground.others


def test_what_lies_below_the_spine_is_seen_too_as_far_as_the_image_goes():
    """A model that does not see the sacrum takes a tilted L5 for it."""
    for bottom, seen in ((250, 384), (330, 448), (420, 512), (505, 512)):
        foreground = plan()
        for i in foreground.first:
            foreground.saw(i, mask(200, bottom, 250, 280), (0, 0))
        window = foreground.window()
        assert window.bottom == seen and window.bottom * 0.5 >= min(256, bottom * 0.5 + 50)


def test_a_small_saving_is_not_worth_it():
    foreground = plan()
    for i in foreground.first:
        foreground.saw(i, mask(30, 480, 30, 440), (0, 0))
    assert foreground.window() == foreground.whole


def test_what_reaches_the_border_of_the_window_is_looked_at_again():
    foreground = plan()
    for i in foreground.first:
        foreground.saw(i, mask(0, 300, 250, 280), (0, 0))
    window = foreground.window()
    assert window == Window(0, 448, 192, 320)
    shape = (window.bottom - window.top, window.right - window.left)
    foreground.saw(5, mask(100, 200, 40, 60, shape), (0, 192))  # well inside
    foreground.saw(6, mask(100, 200, 0, 60, shape), (0, 192))  # goes on to the left
    foreground.saw(7, mask(0, 200, 40, 60, shape), (0, 192))  # at the top, where the slice ends too
    foreground.saw(9, mask(100, 448, 40, 60, shape), (0, 192))  # goes on below
    assert foreground.cut() == [6, 9]
