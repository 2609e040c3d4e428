"""What counts as visible: an outline that is an edge, against the noise beside it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.anatomy import Structure
from napari_spineseg.synthesis.lesion_brush import clear_of_discs, main_piece
from napari_spineseg.synthesis.lesion_sites import Slab
from napari_spineseg.synthesis.lesion_visibility import LEAST_STEP, is_visible
from napari_spineseg.synthesis.lesions import Kind, draw, paint

PIXEL = 0.5


def slab_of(image: np.ndarray, structures: np.ndarray | None = None) -> Slab:
    structures = np.full(image.shape, Structure.VERTEBRA, np.uint8) if structures is None else structures
    return Slab(image.astype(np.float32), structures, 4.0 * np.arange(len(image)), PIXEL)


@pytest.fixture
def ball() -> np.ndarray:
    rows, columns = np.ogrid[:60, :60]
    return np.stack([np.zeros((60, 60), bool), (rows - 30) ** 2 + (columns - 30) ** 2 < 100])


def seen(step: float, noise: float, ball: np.ndarray) -> bool:
    before = 0.5 + noise * np.random.default_rng(0).normal(size=ball.shape).astype(np.float32)
    return is_visible(slab_of(before + step * ball), ball, before, 1.0)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_clear_step_is_seen_and_a_faint_one_is_not(ball, side):
    assert seen(side * 2 * LEAST_STEP, 0.01, ball)
    assert not seen(side * 0.8 * LEAST_STEP, 0.01, ball)


def test_noise_hides_a_step(ball):
    assert not seen(2 * LEAST_STEP, 0.3, ball)


def test_an_edge_that_was_there_before_is_no_tumour(ball):
    before = 0.5 + 0.3 * ball.astype(np.float32)
    assert not is_visible(slab_of(before), ball, before, 1.0)


def test_most_of_the_outline_has_to_show(ball):
    # As bright as what it grows into on one side: half of the outline is no edge.
    before = np.where(np.arange(60) < 30, 0.2, 0.8)[None, None] * np.ones(ball.shape, np.float32)
    assert not is_visible(slab_of(np.where(ball, np.float32(0.8), before)), ball, before, 1.0)


def test_a_mask_that_fills_the_slab_shows_no_outline():
    before = np.full((1, 20, 20), 0.2, np.float32)
    assert not is_visible(slab_of(before + 0.5), np.ones(before.shape, bool), before, 1.0)


def anatomy() -> np.ndarray:
    """A vertebra of 40 mm, a canal behind it."""
    structures = np.zeros((5, 120, 120), np.uint8)
    structures[:, 20:100, 10:70] = Structure.VERTEBRA
    structures[:, :, 74:104] = Structure.CANAL
    return structures


@pytest.mark.parametrize("kind", [Kind.METASTASIS, Kind.EPIDURAL])
def test_in_noise_that_hides_everything_nothing_is_painted(kind):
    quiet = np.where(anatomy() == Structure.CANAL, 0.9, 0.5)
    rng = np.random.default_rng(1)
    for noise, there in ((0.02, True), (0.6, False)):
        slab = slab_of(np.abs(quiet + noise * rng.normal(size=quiet.shape)), anatomy())
        lesions = [lesion for seed in range(6) if (lesion := draw(kind, slab, 2, seed))]
        painted = [paint(slab, [lesion], "T2") for lesion in lesions]
        assert len(lesions) == 6 and (sum(p.tumours.any() for p in painted) >= 5) == there
        for one in painted:
            assert bool(one.lesions) == one.tumours.any()
            assert one.lesions or np.array_equal(one.image, slab.image)


def test_a_metastasis_differs_from_the_marrow_around_it_not_from_the_average():
    structures = anatomy()
    # The vertebra in question is much brighter than the others of its scan.
    image = np.where(structures == Structure.VERTEBRA, 0.8, 0.3) * np.ones(structures.shape)
    structures = np.concatenate([structures, structures], 1)
    image = np.concatenate([image, 0.4 * image], 1)
    slab = slab_of(image, structures)
    shown = 0
    for seed in range(12):
        lesion = draw(Kind.METASTASIS, slab, 2, seed)
        painted = paint(slab, [lesion], "random")
        inside = painted.tumours > 0
        shown += inside.any()
        assert np.abs(painted.image - image)[inside].mean() > LEAST_STEP * np.percentile(image, 97)
    assert shown == 12


def test_of_a_mask_in_pieces_the_largest_and_its_rim_are_kept():
    mask = np.zeros((3, 40, 40), bool)
    mask[:, 5:20, 5:20] = mask[1, 30:33, 30:33] = True
    kept = main_piece(mask)
    assert kept[1, 10, 10] and kept[1, 21, 10] and not kept[1, 31, 31] and not kept[1, 25, 10]
    assert main_piece(mask[:, :25]).all()


@pytest.mark.parametrize("mm", [0.6, 1.0, 4.0])
def test_near_discs_is_near_discs(mm):
    structures = np.zeros((1, 40, 40), np.uint8)
    structures[0, 20, 20] = Structure.DISC
    clear = clear_of_discs(slab_of(np.ones(structures.shape), structures), mm)
    steps = int(mm / PIXEL)
    assert not clear[0, 20, 20 + steps] and clear[0, 20, 20 + steps + 1]
