import numpy as np
import pytest
from scipy import ndimage

from napari_spineseg.anatomy import Numbering
from napari_spineseg.corrections.doubt import find_doubts
from napari_spineseg.corrections.doubt.look import LOOK_MM, Cells
from napari_spineseg.corrections.doubt.rules import Part
from napari_spineseg.corrections.doubt.unsure import expected_error


def doubts(labels, spacing, **more):
    return find_doubts(labels, spacing, **more)


def test_a_sound_column_leaves_nothing_to_look_at(column, spacing):
    assert doubts(column, spacing) == []
    assert doubts(np.zeros_like(column), spacing) == []


@pytest.mark.parametrize(
    ("damage", "kind", "words", "label"),
    [
        (lambda v: np.where(v == 3, 0, v), "gap", "L3 is missing between L4 and L2", 3),
        (lambda v: np.where(v == 203, 0, v), "gap", "No disc between L3 and L4", 203),
        (lambda v: np.where(v == 4, 3, v), "doubled", "L3 is there twice", 3),
        (lambda v: np.where(v == 203, 204, v), "contact", "L2/L3 has L4 below it", 204),
        (lambda v: np.choose((v == 2) + 2 * (v == 3), [v, 3, 2]), "order", "L3 lies below L4", 2),
    ],
)
def test_broken_levels_are_found(column, spacing, damage, kind, words, label):
    found = doubts(damage(column).astype(np.uint16), spacing)
    assert (kind, label) in [(d.kind, d.label) for d in found]
    assert words in [d.words for d in found]


def test_a_volume_out_of_line_is_found_but_not_at_the_border(column, spacing):
    small = column.copy()
    small[:, :, 15:][small[:, :, 15:] == 2] = 0
    assert [(d.kind, d.label) for d in doubts(small, spacing) if d.kind == "volume"] == [("volume", 2)]
    cut = column[:, 10:]
    assert not [d for d in doubts(cut, spacing) if d.kind == "volume"]


def test_the_place_of_a_ring_shaped_part_lies_on_it():
    mask = np.ones((1, 9, 9), bool)
    mask[:, 2:7, 2:7] = False
    part = Part(1, (slice(4, 5), slice(10, 19), slice(20, 29)), mask, (4.0, 0.5, 0.5))
    at = tuple(int(c) - s.start for c, s in zip(part.centre, part.box, strict=True))
    assert mask[at]


def test_an_interrupted_canal_points_into_the_gap(column, spacing):
    labels = column.copy()
    labels[:, 40:46][labels[:, 40:46] == 100] = 0
    (doubt,) = doubts(labels, spacing)
    assert doubt.kind == "canal" and doubt.words == "The canal is interrupted for 6 mm"
    assert doubt.point == (4.5, 42.5, 31.5)
    assert (
        doubts(np.where(labels == 100, 3, 0).astype(np.uint16), spacing, scheme="structures")[0].kind
        == "canal"
    )


def test_loose_pieces_and_short_slices(column, spacing):
    labels = column.copy()
    labels[0, 60:68, 36:44] = 202
    labels[4][labels[4] == 3] = 0
    found = {d.kind: d for d in doubts(labels, spacing)}
    assert found["piece"].label == 202 and found["slice"].label == 3
    assert found["slice"].point[0] == 4


def test_names_follow_the_numbering(column, spacing):
    found = doubts(np.where(column == 3, 0, column), spacing, numbering=Numbering(lumbar=6))
    assert "L4 is missing between L5 and L3" in [d.words for d in found]


def test_the_most_that_is_probably_wrong_comes_first(column, spacing):
    labels = np.where(column == 3, 0, column)
    labels[:, 40:46][labels[:, 40:46] == 100] = 0
    scores = [d.score for d in doubts(labels, spacing)]
    assert scores == sorted(scores, reverse=True) and doubts(labels, spacing)[0].kind in ("gap", "contact")
    assert len(doubts(labels, spacing, most=1)) == 1


def test_clusters_of_uncertainty_are_found_and_not_the_borders(column, spacing):
    border = np.abs(np.gradient((column > 0).astype(float), axis=1)) > 0
    uncertainty = np.where(border, 0.2, 0.0).astype(np.float16)
    uncertainty[3:6, 48:54, 12:20] = 0.5
    first = doubts(column, spacing, uncertainty=uncertainty)[0]
    assert first.kind == "unsure" and first.label == 2 and "L4" in first.words
    assert 3 <= first.point[0] < 6 and 48 <= first.point[1] < 54 and 12 <= first.point[2] < 20


def test_places_do_not_repeat_each_other(spacing):
    rng = np.random.default_rng(3)
    uncertainty = np.clip(ndimage.gaussian_filter(rng.normal(0.2, 1, (12, 90, 90)), 2), 0, 0.5).astype(
        np.float16
    )
    found = doubts(np.zeros(uncertainty.shape, np.uint16), spacing, uncertainty=uncertainty)
    assert len(found) > 5
    points = np.array([d.point for d in found]) * spacing
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1) + 1e3 * np.eye(len(points))
    assert apart.min() > 0.5 * min(LOOK_MM)
    assert all(a.same_as(a, spacing) for a in found)


def test_a_rule_that_is_often_wrong_does_not_push_doubts_aside(column, spacing):
    labels = column.copy()
    labels[:, :, 15:][labels[:, :, 15:] == 2] = 0  # L4 is far too small
    uncertainty = np.zeros(labels.shape, np.float16)
    uncertainty[3:7, 70:80, 10:25] = 0.5
    found = doubts(labels, spacing, uncertainty=uncertainty)
    assert found[0].kind == "unsure" and "volume" in [d.kind for d in found]


def test_a_look_holds_what_is_near_and_cells_find_the_fullest_one():
    spacing = (3.3, 0.5, 0.5)
    values = np.zeros((20, 200, 180), np.float32)
    values[9:11, 100:112, 60:72] = 1
    values[3, 20:22, 20:22] = 1
    cells = Cells.of(values, spacing)
    assert cells.factors == (1, 4, 4) and cells.values.sum() == values.sum()
    cell, most = cells.most()
    assert np.isclose(most, values[9:11].sum(), rtol=1e-4)
    seen = cells.seen_from(cell)
    assert np.isclose(cells.values[seen].sum(), most, rtol=1e-4)
    offsets = (np.argwhere(seen) - cell) * cells.size / LOOK_MM
    assert np.linalg.norm(offsets, axis=1).max() <= 1
    assert np.allclose(cells.cell_of(cells.point_of((2, 3, 4), values.shape)), (2, 3, 4), atol=0.2)


def test_expected_error_is_near_the_inverse_of_binary_entropy():
    wrong = np.linspace(0.02, 0.5, 25)
    bits = -(wrong * np.log2(wrong) + (1 - wrong) * np.log2(1 - wrong))
    assert np.abs(expected_error(bits / 2) - wrong).max() < 0.1
