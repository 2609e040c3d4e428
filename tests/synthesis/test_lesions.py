"""Painted tumours and look-alikes keep to the anatomy they are painted into."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.synthesis.lesion_greys import LEAST_CONTRAST, Greys, in_bone, in_fluid
from napari_spineseg.synthesis.lesion_shapes import signed_distance
from napari_spineseg.synthesis.lesion_sites import Slab
from napari_spineseg.synthesis.lesions import (
    HELD_OUT_FORMS,
    LOOK_ALIKES,
    MORE_FORMS,
    TRAINING_FORMS,
    TUMOURS,
    Kind,
    Lesion,
    draw,
    paint,
    scatter,
)
from napari_spineseg.synthesis.phantom import PhantomSettings, make_phantom

SPACING = (4.0, 0.9, 0.9)


@pytest.fixture(scope="module")
def slab() -> Slab:
    settings = PhantomSettings(seed=3, spacing_mm=SPACING, field_of_view_mm=(28, 170, 130))
    scan, truth = make_phantom(settings)
    image = scan.sagittal().astype(np.float32)
    labels = truth.grid.to_orientation().apply(truth.labels)
    image /= np.percentile(image, 99)
    return Slab(image, levels_to_structures(labels), np.arange(len(image)) * SPACING[0], SPACING[1])


def drawn(kind: Kind, slab: Slab, count: int, forms=TRAINING_FORMS) -> list[Lesion]:
    middle = len(slab.x_mm) // 2
    tries = (draw(kind, slab, middle, seed, forms) for seed in range(200))
    found = [lesion for lesion in tries if lesion is not None][:count]
    assert len(found) == count, f"{kind} finds no place"
    return found


@pytest.mark.parametrize("kind", [*TUMOURS, Kind.POSTERIOR])
def test_a_tumour_changes_the_image_and_fills_its_mask(slab, kind):
    for lesion in drawn(kind, slab, 4):
        painted = paint(slab, [lesion], "T2")
        inside = painted.tumours == 1
        assert inside.any()
        change = np.abs(painted.image - slab.image)
        assert change[inside].mean() > 5 * change[~inside].mean()


@pytest.mark.parametrize("kind", LOOK_ALIKES)
def test_a_look_alike_changes_the_image_but_is_in_no_mask(slab, kind):
    lesion = drawn(kind, slab, 1)[0]
    painted = paint(slab, [lesion], "T2")
    assert not painted.tumours.any() and not lesion.is_tumour
    assert painted.lesions == (lesion,)
    assert np.abs(painted.image - slab.image).max() > 0.05


@pytest.mark.parametrize("kind", [*TUMOURS, Kind.POSTERIOR])
def test_discs_are_respected(slab, kind):
    for lesion in drawn(kind, slab, 5):
        painted = paint(slab, [lesion])
        assert not (slab.structures[painted.tumours > 0] == Structure.DISC).any()


def test_a_metastasis_leaves_the_sac_alone_and_some_break_the_cortex(slab):
    beyond = 0
    for lesion in drawn(Kind.METASTASIS, slab, 12):
        structures = slab.structures[paint(slab, [lesion]).tumours > 0]
        assert not (structures == Structure.CANAL).any()
        beyond += bool((structures == 0).any())
    assert 2 <= beyond <= 11


def test_an_intradural_mass_stays_in_the_sac_and_moves_what_is_beside_it(slab):
    for lesion in drawn(Kind.INTRADURAL, slab, 4):
        painted = paint(slab, [lesion], "T2")
        inside = painted.tumours > 0
        assert set(np.unique(slab.structures[inside])) == {Structure.CANAL}
        canal = (slab.structures == Structure.CANAL) & ~inside
        moved = np.abs(painted.image - slab.image)[canal] > 0.02
        assert 0.002 < moved.mean() < 0.6
        outside = slab.structures == Structure.VERTEBRA
        assert np.abs(painted.image - slab.image)[outside].max() < 0.2


def test_an_epidural_one_is_in_bone_and_canal(slab):
    both = 0
    for lesion in drawn(Kind.EPIDURAL, slab, 6):
        found = set(np.unique(slab.structures[paint(slab, [lesion]).tumours > 0]))
        both += {Structure.VERTEBRA, Structure.CANAL} <= found
    assert both >= 5


def test_a_haemangioma_leaves_the_cortex(slab):
    lesion = drawn(Kind.HAEMANGIOMA, slab, 1)[0]
    change = np.abs(paint(slab, [lesion]).image - slab.image)
    outside = slab.structures != Structure.VERTEBRA
    assert change[outside].max() < 0.1 * change.max()


def test_equal_seeds_paint_equal_voxels_and_others_do_not(slab):
    first, second = drawn(Kind.METASTASIS, slab, 2)
    again = paint(slab, [first]).image
    assert np.array_equal(paint(slab, [first]).image, again)
    assert not np.array_equal(paint(slab, [second]).image, again)
    assert not np.shares_memory(again, slab.image)


def test_thin_and_thick_stacks_see_the_same_lesion(slab):
    lesion = drawn(Kind.INTRADURAL, slab, 1)[0]
    whole = paint(slab, [lesion], "T2")
    picked = [2, 3, 4]
    part = Slab(slab.image[picked], slab.structures[picked], slab.x_mm[picked], slab.pixel_mm)
    assert np.array_equal(paint(part, [lesion], "T2").tumours > 0, whole.tumours[picked] > 0)


def test_held_out_outlines_are_other_outlines(slab):
    at = np.meshgrid(*(np.linspace(-12, 12, 25),) * 3, indexing="ij")
    for form in (*TRAINING_FORMS, *MORE_FORMS, *HELD_OUT_FORMS):
        inside = signed_distance(form, (0, 0, 0), (8, 8, 8), 1, tuple(at)) < 0
        assert 200 < inside.sum() < 6000 and not inside[0].any() and not inside[-1].any()
    assert not {*TRAINING_FORMS, *MORE_FORMS} & {*HELD_OUT_FORMS}


@pytest.mark.parametrize("form", MORE_FORMS)
def test_outlines_for_training_are_one_piece_for_the_most_part(form):
    at = tuple(np.meshgrid(*(np.linspace(-12, 12, 25),) * 3, indexing="ij"))
    for seed in range(6):
        pieces, _ = ndimage.label(signed_distance(form, (0, 0, 0), (8, 8, 8), seed, at) < 0)
        assert np.bincount(pieces.ravel())[1:].max() > 0.9 * (pieces > 0).sum()


def test_what_grows_in_the_sac_stays_smooth(slab):
    assert {m.form for m in drawn(Kind.INTRADURAL, slab, 30, MORE_FORMS)} == {"bumpy", "budding", "bent"}


@pytest.mark.parametrize("sequence", ["T1", "Gd T1", "T2", "STIR", "water", "fat", "in phase", "random"])
def test_tumours_can_be_told_from_their_host_in_every_contrast(sequence):
    greys = Greys(marrow=0.5, disc=0.3, fluid=0.9, top=1.0, sequence=sequence)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        assert abs(in_bone(greys, rng) - greys.marrow) >= LEAST_CONTRAST - 1e-6
        assert abs(in_fluid(greys, rng) - greys.fluid) >= LEAST_CONTRAST - 1e-6


def test_metastases_are_dark_in_t1_and_bright_after_gadolinium():
    plain, enhanced = (Greys(0.6, 0.3, 0.15, 1.0, sequence) for sequence in ("T1", "Gd T1"))
    for seed in range(20):
        assert in_bone(plain, np.random.default_rng(seed)) < 0.6
        assert in_bone(enhanced, np.random.default_rng(seed)) > 0.6


def test_scattered_lesions_lie_apart(slab):
    lesions = scatter(slab, [Kind.METASTASIS, Kind.INTRADURAL, Kind.HAEMANGIOMA, Kind.SCHMORL], seed=4)
    assert len(lesions) >= 3
    painted = paint(slab, lesions, "T2")
    assert len(painted.painted_tumours) == len(set(np.unique(painted.tumours)) - {0}) == 2
    for n, lesion in enumerate(lesions):
        for other in lesions[:n]:
            assert np.linalg.norm(np.subtract(lesion.centre, other.centre)) > 18


def test_without_a_canal_there_is_no_place(slab):
    bare = Slab(slab.image, np.zeros_like(slab.structures), slab.x_mm, slab.pixel_mm)
    assert all(draw(kind, bare, 3, 0) is None for kind in Kind)
    assert scatter(bare, TUMOURS, 0) == []
