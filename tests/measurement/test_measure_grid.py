"""A figure is the patient's, not the grid's: no change of axes, place or side alters it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_spineseg.grid import Grid
from napari_spineseg.measurement import CATALOGUE, measure
from napari_spineseg.scan import Segmentation

ORIENTATIONS = [
    tuple(pair[flip] for pair, flip in zip(order, flips, strict=True))
    for order in permutations(("LR", "PA", "IS"))
    for flips in product((0, 1), repeat=3)
]


def oriented(segmentation: Segmentation, codes: tuple[str, str, str]) -> Segmentation:
    """The same voxels at the same places in another order of axes."""
    turn = Grid(segmentation.labels.shape, segmentation.affine).to_orientation(codes)
    return replace(segmentation, labels=turn.apply(segmentation.labels), affine=turn.grid.affine)


def same(first, second, within: float = 1e-3, scale=lambda key: 1.0) -> None:
    assert [(f.key, f.label) for f in first.figures] == [(f.key, f.label) for f in second.figures]
    for a, b in zip(first.figures, second.figures, strict=True):
        assert a.reason == b.reason, (a.level, a.key)
        if a.value is not None:
            assert b.value == pytest.approx(a.value * scale(a.key), abs=within, rel=1e-4), (a.level, a.key)


def test_there_are_48_orientations():
    assert len({"".join(codes) for codes in ORIENTATIONS}) == 48


def same_marks(first, second) -> None:
    for a, b in zip(first.figures, second.figures, strict=True):
        for one, other in zip(a.marks, b.marks, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-4, err_msg=f"{a.level} {a.key}")


def test_axes_in_any_order_give_the_same_figures_and_marks(single):
    truth = measure(single)
    assert truth.of("L5")["body_depth"].value == pytest.approx(34, abs=0.6)
    for codes in ORIENTATIONS:
        turned = oriented(single, codes)
        assert "".join(nib.aff2axcodes(turned.affine)) == "".join(codes)
        found = measure(turned)
        same(truth, found, 1e-6)
        same_marks(truth, found)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL"])
def test_slip_and_angles_are_the_same_on_any_axes(short, short_found, codes):
    same(short_found, measure(oriented(short, tuple(codes))), 1e-6)


def test_an_oblique_grid_gives_the_same_figures(short, short_found):
    place = np.eye(4)
    place[:3, :3] = Rotation.from_euler("xyz", [20, -13, 17], degrees=True).as_matrix()
    place[:3, 3] = 40, -300, 1200
    same(short_found, measure(replace(short, affine=place @ short.affine)), 1e-5)


def test_twice_the_spacing_gives_twice_the_millimetres(short, short_found):
    """All but the width of the band and of the slab, which are millimetres themselves."""
    power = {"mm": 1, "mm²": 2, "ml": 3, "°": 0, "": 0, "%": 0}

    def scale(key: str) -> float:
        return 1.25 ** power[CATALOGUE[key].unit]

    larger = replace(short, affine=short.affine @ np.diag([1.25, 1.25, 1.25, 1]))
    first, second = short_found, measure(larger)
    for a, b in zip(first.figures, second.figures, strict=True):
        if a.value is not None and b.value is not None:
            near = {"canal_area": 12, "slip_share": 1.5}.get(a.key, 0.5)
            assert b.value == pytest.approx(a.value * scale(a.key), abs=near), (a.level, a.key)
    assert first.of("L4")["body_height_middle"].value is not None


def test_left_and_right_exchanged_give_the_same_figures(short, short_found):
    same(short_found, measure(replace(short, labels=short.labels[::-1])), 0.02)


def test_marks_lie_where_the_figure_was_taken(lordotic):
    """A length is the length of its line; every line lies at its level."""
    _, drawn, found = lordotic
    for figure in found.figures:
        unit = figure.measure.unit
        if unit == "mm" and figure.value and figure.key not in ("slip", "disc_height_mean"):
            (start, stop) = (np.array(p) for p in figure.marks[0])
            assert np.linalg.norm(stop - start) == pytest.approx(abs(figure.value), abs=0.6), figure.key
        if figure.label and figure.marks:
            voxels = np.argwhere(drawn.labels == figure.label) @ drawn.affine[:3, :3].T + drawn.affine[:3, 3]
            middle = np.mean(np.concatenate([np.array(m) for m in figure.marks]), axis=0)
            # "Up" is the third axis of RAS.
            assert abs(middle[2] - voxels.mean(0)[2]) < 30, (figure.level, figure.key)
