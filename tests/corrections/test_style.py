"""What follows from labels alone is learnt from little, and nothing else is."""

import numpy as np
import pytest
import torch
from style_kit import CANAL, DISC, VERTEBRA, narrow, spine

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.corrections.style import features, fit_style, load_style, save_style

PIXEL_MM = 2.0


def drawn(seed, change=lambda levels: levels):
    """Structures of a spine, of its levels as `change` leaves them."""
    return levels_to_structures(change(spine(seed))).astype(np.uint8)


def agreement(first, second):
    return min((first == second)[first == n].mean() for n in (0, VERTEBRA, DISC, CANAL) if (first == n).any())


def test_what_follows_from_the_labels_is_learnt_from_one_scan_and_holds_for_another():
    style = fit_style([drawn(1)], [drawn(1, narrow)], [PIXEL_MM], 4, CANAL)
    wanted = drawn(2, narrow)
    assert agreement(wanted, drawn(2)) < 0.99 < agreement(wanted, style.labels(drawn(2), PIXEL_MM))


def test_shares_are_of_one_pixel_each():
    style = fit_style([drawn(1)], [drawn(1, narrow)], [PIXEL_MM], 4, CANAL)
    shares = style.shares(drawn(2), PIXEL_MM)
    assert shares.shape == (len(drawn(2)), 4, *drawn(2).shape[1:])
    torch.testing.assert_close(shares.sum(1), torch.ones_like(shares[:, 0]))


def test_labels_that_lie_beside_the_image_are_no_style():
    moved = np.roll(drawn(1), 2, 1)
    style = fit_style([drawn(1)], [moved], [PIXEL_MM], 4, CANAL)
    off = (drawn(1) != moved).mean()
    assert (style.labels(drawn(1), PIXEL_MM) != moved).mean() > 0.7 * off


def test_unknown_pixels_teach_nothing():
    wanted = drawn(1, narrow)
    unknown = np.where(drawn(1) == DISC, 255, wanted)
    style = fit_style([drawn(1)], [unknown], [PIXEL_MM], 4, CANAL)
    assert not (style.labels(drawn(1), PIXEL_MM) == 255).any()


def test_distances_are_in_millimetres_and_nothing_is_told_of_what_is_not_there():
    seen = np.zeros((20, 20), np.uint8)
    seen[8:12, 8:12] = VERTEBRA
    given = features(seen, 3.0, 4, CANAL)
    assert given.shape == (8, 20, 20)
    assert given[0, 9, 13] == pytest.approx(6 / 12) and given[0, 0, 0] == 1  # mm outside, of 12
    assert given[0, 9, 9] < 0 and (given[1:3] == 1).all() and (given[7] == 0).all()


def test_the_front_edge_of_the_canal_is_where_behind_begins():
    seen = np.zeros((20, 30), np.uint8)
    seen[:, 10:14] = CANAL
    behind = features(seen, 2.0, 4, CANAL)[7]
    assert (behind[:, 10] == 0).all() and behind[5, 15] == pytest.approx(10 / 40) and (behind[:, 9] < 0).all()


def test_a_style_comes_back_from_disk(tmp_path):
    style = fit_style([drawn(1)], [drawn(1, narrow)], [PIXEL_MM], 4, CANAL)
    save_style(style, tmp_path / "style.safetensors")
    again = load_style(tmp_path / "style.safetensors", 4, CANAL)
    torch.testing.assert_close(again.shares(drawn(2), PIXEL_MM), style.shares(drawn(2), PIXEL_MM))
