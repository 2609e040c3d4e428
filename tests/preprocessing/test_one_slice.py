"""The slice that a preview shows is the slice that the whole recipe makes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spineseg.preprocessing import STEPS, Pipeline, Tools, make_step, name_of
from napari_spineseg.preprocessing.one_slice import done_whole, draft
from napari_spineseg.scan import Scan

from .conftest import orientations

ALONE = [
    ("reorient", {"axes": "LPS"}),
    ("crop", {"head_mm": 6, "front_mm": 4, "left_mm": 4}),
    ("resample", {"which": "in-plane", "spacing_mm": 1.7}),
    ("resample", {"which": "through-plane", "spacing_mm": 1.5}),
    ("resample", {"which": "isotropic", "spacing_mm": 6.0, "interpolation": "linear"}),
    ("resample-like", {"reference": "other"}),
    ("published-slices", {"height_px": 60, "width_px": 50}),
    ("clip", {"upper_percent": 90}),
    ("zscore", {}),
    ("tv", {"iterations": 5}),
    ("nlm", {"search_px": 2}),
    ("match", {"reference": "other"}),
    ("clahe", {}),
]


def other(scan: Scan) -> Scan:
    """A scan of the same place, tilted, with other grey values."""
    affine = scan.affine.copy()
    c, s = np.cos(0.1), np.sin(0.1)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ affine[:3, :3]
    return Scan((scan.voxels * 1.5).astype(np.int16), affine, name="other")


def point_of(scan: Scan, index: int) -> np.ndarray:
    """RAS mm of the middle of a sagittal slice."""
    view = scan.grid.to_orientation().grid
    at = (index, *((n - 1) / 2 for n in view.shape[1:]))
    return view.affine[:3, :3] @ at + view.affine[:3, 3]


def same_slice(whole: Scan, shown: Scan, point: np.ndarray) -> np.ndarray:
    """That slice of the whole result."""
    view = whole.grid.to_orientation().grid
    index = round(float((np.linalg.inv(view.affine) @ (*point, 1))[0]))
    ours = shown.grid.to_orientation().grid
    np.testing.assert_allclose(ours.affine[:3, 3], view.affine[:3, 0] * index + view.affine[:3, 3], atol=1e-6)
    return whole.sagittal()[index]


def test_every_step_that_can_be_shown_alone_is_among_the_cases():
    can = {name_of(kind) for kind in STEPS if done_whole([make_step(name_of(kind), {})]) == 0}
    assert can == {name for name, _ in ALONE}


@pytest.mark.parametrize("case", ALONE, ids=lambda case: f"{case[0]}-{list(case[1].values())}")
@pytest.mark.parametrize("turned", [False, True])
def test_first_step_is_shown_as_it_will_be(case, turned, tissue_scan):
    scan = tissue_scan
    if turned:
        view = scan.grid.to_orientation(("A", "S", "L"))
        scan = Scan(np.ascontiguousarray(view.apply(scan.voxels)), view.grid.affine)
    step, tools = make_step(*case), Tools(open_scan=lambda name: other(tissue_scan))
    whole = step(scan, tools)
    ready = draft(scan, [step], tools)
    for index in (2, 5, 8):
        point = point_of(scan, index)
        shown = ready.slice_at(point)
        expected = same_slice(whole, shown, point)
        close = 1e-4 * float(np.ptp(whole.voxels)) + (1 if whole.voxels.dtype.kind in "iu" else 0)
        assert np.abs(shown.sagittal()[0].astype(float) - expected).max() <= close


def test_a_chain_is_shown_nearly_as_it_will_be(tissue_scan):
    recipe = Pipeline(
        steps=[
            {"step": "crop", "head_mm": 5, "right_mm": 4},
            {"step": "tv", "iterations": 5},
            {"step": "resample", "which": "isotropic", "spacing_mm": 2.0},
            {"step": "clip"},
            {"step": "zscore"},
        ]
    )
    whole = recipe(tissue_scan)
    point = point_of(tissue_scan, 5)
    shown = draft(tissue_scan, recipe.steps).slice_at(point)
    expected = same_slice(whole, shown, point)
    assert np.abs(shown.sagittal()[0] - expected).mean() < 0.05  # standard deviations


def test_what_is_cut_away_cannot_be_shown(tissue_scan):
    ready = draft(tissue_scan, [make_step("crop", {"left_mm": 8})])
    assert ready.slice_at(point_of(tissue_scan, 0)) is None
    assert ready.slice_at(point_of(tissue_scan, 4)) is not None


def test_steps_that_look_across_slices_are_done_whole_first():
    steps = Pipeline(steps=[{"step": "clip"}, {"step": "n4"}, {"step": "reorient"}, {"step": "zscore"}]).steps
    assert done_whole(steps) == 2
    assert done_whole(steps[2:]) == 0
    assert done_whole([make_step("align", {"touch_up": False})]) == 1


def test_no_steps_show_the_scan_itself(tissue_scan):
    shown = draft(tissue_scan, []).slice_at(point_of(tissue_scan, 3))
    assert np.array_equal(shown.sagittal()[0], tissue_scan.sagittal()[3])


def test_oblique_slices_are_followed():
    affine = orientations()[-1]
    scan = Scan(np.random.default_rng(0).integers(0, 900, (12, 20, 18)).astype(np.int16), affine)
    step = make_step("resample", {"which": "isotropic", "spacing_mm": 1.0})
    whole, point = step(scan), point_of(scan, 7)
    shown = draft(scan, [step]).slice_at(point)
    assert np.abs(shown.sagittal()[0].astype(int) - same_slice(whole, shown, point)).max() <= 1
