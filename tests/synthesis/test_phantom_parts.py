"""The phantom's tools: distances, frames, the canvas, the acquisition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_spineseg.synthesis.phantom.acquisition import acquire, saturation
from napari_spineseg.synthesis.phantom.canvas import Canvas
from napari_spineseg.synthesis.phantom.settings import PhantomSettings
from napari_spineseg.synthesis.phantom.shapes import (
    Frame,
    ellipsoid,
    plate,
    rotation,
    smooth_intersection,
    smooth_union,
    strut,
)
from napari_spineseg.synthesis.phantom.spine import draw_spine
from napari_spineseg.synthesis.phantom.texture import field
from napari_spineseg.synthesis.phantom.tissues import Tissue, brightness


def at(*point: float) -> tuple[np.ndarray, ...]:
    return tuple(np.array([[[v]]], np.float32) for v in point)


def test_a_strut_measures_true_distances():
    ends = ((0, 0, 0), (0, 10, 0), (2, 2))
    assert strut(at(5, 5, 0), *ends).item() == pytest.approx(3)
    assert strut(at(0, 5, 0), *ends).item() == pytest.approx(-2)
    assert strut(at(0, 14, 0), *ends).item() == pytest.approx(2)


def test_a_tall_strut_is_higher_than_thick():
    shape = ((0, 0, 0), (0, 10, 0), (2, 2))
    assert strut(at(0, 5, 5), *shape, tall=3).item() < 0 < strut(at(0, 5, 5), *shape).item()


def test_ellipsoid_is_zero_on_its_surface_and_plate_is_thin():
    assert ellipsoid(at(4, 1, 1), (1, 1, 1), (3, 5, 7)).item() == pytest.approx(0, abs=1e-6)
    slab = ((0, 0, 0), (0, -20, 0), 3, (8, 8, 0))
    assert plate(at(0, -10, 0), *slab).item() < 0
    assert plate(at(5, -10, 0), *slab).item() == pytest.approx(2)
    assert plate(at(0, -30, 0), *slab).item() == pytest.approx(10)


def test_smooth_union_only_adds_and_smooth_intersection_only_takes_away():
    a, b = np.meshgrid(np.linspace(-5, 5, 21), np.linspace(-5, 5, 21))
    assert (smooth_union(a, b, 2.0) <= np.minimum(a, b)).all()
    assert (smooth_intersection(a, b, 2.0) >= np.maximum(a, b)).all()
    far = np.abs(a - b) > 2
    assert np.allclose(smooth_union(a, b, 2.0)[far], np.minimum(a, b)[far])


def test_a_frame_leans_forward_and_to_the_right_and_comes_back():
    axes = rotation(30, 10, 5)
    assert np.allclose(axes.T @ axes, np.eye(3))
    assert np.linalg.det(axes) == pytest.approx(1)
    up = axes[:, 2]
    assert up[0] > 0 and up[1] > 0 and up[2] > 0.8
    frame = Frame(np.array([1.0, 2, 3]), axes)
    assert np.ravel(frame.local(at(*frame.world((4, 5, 6))))) == pytest.approx([4, 5, 6], abs=1e-4)


def canvas(planes: int = 4) -> Canvas:
    flat = {kind: np.zeros((10, 12), np.float32) for kind in ("mottled", "streaky", "septate")}
    rows, columns = np.arange(10, 0, -1, dtype=np.float32), np.arange(12, 0, -1, dtype=np.float32)
    return Canvas(np.arange(planes, dtype=np.float32), rows, columns, "T2", flat)


def test_a_shape_beside_the_slice_has_no_region():
    assert canvas().region(np.array([9, 0, 0]), np.array([12, 20, 20])) is None
    assert canvas().region(np.array([0.5, 2.5, 3.5]), np.array([1.5, 4.5, 8.5])) == (
        slice(1, 2),
        slice(2, 7),
        slice(8, 10),
    )


def test_a_thick_slice_averages_its_planes_and_takes_the_commonest_label():
    c = canvas()
    half = np.where(c.x < 2, -5, 5)[:, None, None]
    c.paint(c.everywhere, half, Tissue.CSF)
    assert c.average() == pytest.approx(np.full((10, 12), brightness(Tissue.CSF, "T2") / 2))
    c.mark(c.everywhere, half, 7)
    assert (c.majority() == 7).all()
    c.labels[0] = 0
    assert (c.majority() == 0).all()
    c.labels[:] = np.array([1, 2, 3, 3])[:, None, None]
    assert (c.majority() == 3).all()


def test_edges_are_one_pixel_soft():
    c = canvas(1)
    _, y, _ = c.points(c.everywhere)
    c.paint(c.everywhere, np.abs(y - 6) - 1.25, np.float32(1.0))
    assert c.image[0, 0, 12 - 6] == pytest.approx(1)
    assert c.image[0, 0, 12 - 7] == pytest.approx(0.75)
    assert c.image[0, 0, 12 - 9] == 0


def test_background_noise_is_rayleigh():
    settings = PhantomSettings(noise=0.1, blur_mm=0, saturation_band=False, spacing_mm=(4, 1, 1))
    depth = np.zeros((200, 200), np.float32)
    voxels = acquire(np.zeros((2, 200, 200), np.float32), settings, depth, depth, np.random.default_rng(1))
    silent = acquire(
        np.zeros((2, 200, 200), np.float32),
        settings.model_copy(update={"noise": 0.0}),
        depth,
        depth,
        np.random.default_rng(1),
    )
    assert silent.max() == 0
    # A Rayleigh distribution's mean and deviation are in the ratio sqrt(pi / (4 - pi)).
    assert voxels.mean() / voxels.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.05)


def test_the_coil_hears_the_back_best():
    settings = PhantomSettings(noise=0, saturation_band=False, coil_falloff_mm=80)
    depth = np.broadcast_to(np.linspace(200, 0, 60, dtype=np.float32), (50, 60))
    voxels = acquire(np.full((1, 50, 60), 0.5, np.float32), settings, depth, depth, np.random.default_rng(1))
    profile = voxels[0, 25].astype(float)
    assert profile[-1] > 2 * profile[10]


def test_saturation_leaves_the_near_side_alone():
    assert saturation(np.array([-50.0, 0.0, 50.0])) == pytest.approx([1.0, 0.56, 0.12], abs=0.01)


@pytest.mark.parametrize("sigma", [(0.5, 0.5), (3.0, 8.0), (40.0, 40.0)])
def test_random_fields_have_unit_deviation_and_the_asked_size(sigma):
    made = field(np.random.default_rng(0), (37, 53), sigma)
    assert made.shape == (37, 53)
    assert made.std() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_every_drawn_spine_is_lordotic_and_bone_never_overlaps_bone(seed):
    spine = draw_spine(PhantomSettings(seed=seed), np.random.default_rng(seed))
    tilt = [np.degrees(np.arctan2(v.frame.axes[1, 2], v.frame.axes[2, 2])) for v in spine.vertebrae[:5]]
    # L5 leans forward, L1 backward, and every level between leans less far forward than the one below.
    assert tilt[0] > 8 and tilt[4] < -4
    assert all(a > b for a, b in pairwise(tilt))
    for below, above in pairwise(spine.vertebrae):
        distance = np.linalg.norm(above.frame.origin - below.frame.origin)
        assert distance > (above.height + below.height) / 2
