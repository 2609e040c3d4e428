"""Structures to levels, on spines whose every voxel is known."""

import numpy as np
import pytest
from scipy import ndimage

from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.instances import label_levels

SPACING = (4.0, 1.5, 1.5)
LARGE = np.ones((3, 5, 5))


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def assert_levels(levels, truth, least=0.9):
    """Every label of the truth is there with its own number, and no other number is."""
    assert set(np.unique(levels)) == set(np.unique(truth))
    for label in np.unique(truth)[1:]:
        assert dice(levels == label, truth == label) >= least, label


def blob(shape, centre, radius):
    """Ellipsoid around `centre` mm."""
    axes = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((a * s - c) / r) ** 2 for a, s, c, r in zip(axes, SPACING, centre, radius, strict=True)) < 1


def test_a_clean_spine_comes_back_voxel_for_voxel(truth):
    result = label_levels(levels_to_structures(truth), SPACING)
    assert_levels(result.levels, truth, least=0.99)
    assert result.levels.dtype == np.uint16
    assert result.warnings == () and result.alternatives == ()


@pytest.mark.parametrize("spacing", [(5.0, 1.0, 1.0), (3.3, 0.6, 0.6), (1.0, 1.0, 1.0)])
def test_any_spacing(draw, spacing):
    truth = draw(vertebrae=4, spacing=spacing)
    assert_levels(label_levels(levels_to_structures(truth), spacing).levels, truth, least=0.95)


@pytest.mark.parametrize("vertebrae", [2, 3, 5, 8])
def test_any_field_of_view_above(draw, vertebrae):
    truth = draw(vertebrae=vertebrae)
    assert_levels(label_levels(levels_to_structures(truth), SPACING).levels, truth)


def test_one_slice_is_enough(truth):
    middle = truth[7:8]
    assert_levels(label_levels(levels_to_structures(middle), SPACING).levels, middle)


def test_left_and_right_are_alike(truth):
    structures = levels_to_structures(truth)
    structures[:7][ndimage.binary_erosion(structures[:7] == 1, LARGE[:1])] = 0
    result = label_levels(structures, SPACING).levels
    mirrored = label_levels(structures[::-1], SPACING).levels[::-1]
    assert np.mean(result == mirrored) > 0.999


def test_neighbours_that_touch_everywhere_are_told_apart(truth):
    structures = levels_to_structures(truth)
    grown = ndimage.binary_dilation(structures == 1, LARGE) & (structures == 0)
    structures[grown] = 1
    assert ndimage.label(structures == 1)[1] == 1
    levels = label_levels(structures, SPACING).levels
    assert_levels(np.where(truth > 0, levels, 0), truth, least=0.95)
    assert (levels[grown] > 0).mean() > 0.95


def test_bodies_that_swallowed_a_disc_are_cut_where_it_was(truth):
    structures = levels_to_structures(truth)
    band = ndimage.binary_dilation(truth == 203, np.ones((1, 5, 1)))
    structures[band] = 1
    reference = np.where(truth == 203, 0, truth)
    assert_levels(label_levels(structures, SPACING).levels, reference, least=0.85)


def test_a_disc_that_was_missed_does_not_shift_the_count(truth):
    for lost in (202, 204, 206):
        reference = np.where(truth == lost, 0, truth)
        assert_levels(label_levels(levels_to_structures(reference), SPACING).levels, reference)


def test_a_vertebra_that_was_missed_keeps_its_number(truth):
    reference = np.where(truth == 3, 0, truth)
    result = label_levels(levels_to_structures(reference), SPACING)
    assert_levels(result.levels, reference)
    assert any("L3" in warning for warning in result.warnings)


def test_islands_are_dropped_and_nothing_else(truth):
    structures = levels_to_structures(truth)
    for centre, kind in (((30, 100, 8), 1), ((30, 60, 6), 2), ((7, 120, 104), 1), ((8, 200, 8), 3)):
        island = blob(truth.shape, centre, (8, 6, 5))
        assert not (island & (truth > 0)).any()
        structures[island] = kind
    assert_levels(label_levels(structures, SPACING).levels, truth, least=0.99)


def test_a_detached_spinous_process_stays_with_its_vertebra(truth):
    structures = levels_to_structures(truth)
    structures[:, :, 50:53] = 0
    reference = np.where(structures > 0, truth, 0)
    assert_levels(label_levels(structures, SPACING).levels, reference, least=0.97)


def test_small_holes_are_closed_by_what_surrounds_them(truth):
    structures = levels_to_structures(truth)
    row = int(np.nonzero(truth[7] == 3)[0].mean())
    structures[6:9, row - 1 : row + 2, 26:30] = 0
    assert_levels(label_levels(structures, SPACING).levels, truth, least=0.99)


def test_the_hole_between_two_vertebrae_stays_open(truth):
    structures = levels_to_structures(truth)
    assert not label_levels(structures, SPACING).levels[(structures == 0)].any()


def test_nothing_is_invented(truth):
    rng = np.random.default_rng(3)
    structures = levels_to_structures(truth)
    structures[rng.random(structures.shape) < 0.1] = 0
    levels = label_levels(structures, SPACING).levels
    painted = levels > 0
    kinds = levels_to_structures(levels)
    assert np.array_equal(kinds[painted & (structures > 0)], structures[painted & (structures > 0)])
    # Whatever was background and is not any more is a hole that one label surrounds.
    filled = painted & (structures == 0)
    inner = ndimage.binary_fill_holes(structures.any(0))
    assert filled.any() and inner[filled.any(0)].all()


def test_a_scoliotic_spine(truth):
    structures, leaning = np.zeros_like(truth, np.uint8), np.zeros_like(truth)
    rows = np.arange(truth.shape[1])
    shift = np.round(2 * np.sin(2 * np.pi * rows / rows[-1])).astype(int)
    for row, by in enumerate(shift):
        leaning[:, row] = np.roll(truth[:, row], by, 0)
    structures = levels_to_structures(leaning)
    assert_levels(label_levels(structures, SPACING).levels, leaning, least=0.95)


def test_a_slipped_vertebra(truth):
    upper = ((truth > 1) & (truth < 100)) | (truth > 201)
    slipped = np.where(upper, 0, truth)
    moved = np.roll(upper, -5, 2)
    slipped[moved] = np.roll(truth, -5, 2)[moved]
    assert_levels(label_levels(levels_to_structures(slipped), SPACING).levels, slipped, least=0.9)


def test_without_a_canal(truth):
    reference = np.where(truth == 100, 0, truth)
    assert_levels(label_levels(levels_to_structures(reference), SPACING).levels, reference, least=0.9)


@pytest.mark.parametrize("kind", [0, 3])
def test_no_spine_gives_an_empty_result(kind):
    structures = np.zeros((5, 40, 40), np.uint8)
    structures[2, 10:30, 18:22] = kind
    result = label_levels(structures, SPACING)
    assert not result.levels.any() and result.levels.shape == structures.shape


def test_specks_are_no_spine():
    structures = np.zeros((5, 40, 40), np.uint8)
    structures[2, 10:14, 10:14] = 1
    structures[3, 30:33, 20:22] = 2
    assert not label_levels(structures, SPACING).levels.any()


def test_the_input_is_left_alone(truth):
    structures = levels_to_structures(truth)
    before = structures.copy()
    structures.setflags(write=False)
    label_levels(structures, SPACING)
    assert np.array_equal(structures, before)
