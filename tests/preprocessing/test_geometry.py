"""Every geometric step keeps landmarks where they are in the patient, and can be inverted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spineseg.errors import SettingsError
from napari_spineseg.grid import Grid
from napari_spineseg.preprocessing import STEPS, GeometricStep, Tools, bring_back, carry, make_step, name_of
from napari_spineseg.scan import Scan, Segmentation

from .conftest import LANDMARK, ball, blob_scan, centroid, orientations

WITHIN_VOXELS = 0.05


def oblique_reference(scan: Scan) -> Scan:
    """A scan of the same place, turned, left-handed and of another spacing."""
    c, s = np.cos(0.25), np.sin(0.25)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-1.1, 1.4, 2.0])
    shape = (44, 36, 26)
    centre = scan.affine[:3, :3] @ LANDMARK + scan.affine[:3, 3]
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) / 2 + (0.3, -0.4, 0.2))
    return Scan(np.zeros(shape, np.int16), affine, name="reference")


def tools_for(scan: Scan) -> Tools:
    """References and a spine for any step."""
    return Tools(lambda name: oblique_reference(scan), lambda s, control: s.voxels > 1)


CASES = {
    "reorient": [{"axes": axes} for axes in ("RIP", "RAS", "LPS", "PIR")],
    "crop": [{"head_mm": 2.5, "left_mm": 1.3, "back_mm": 3.2}],
    "crop-to-spine": [{"margin_mm": 2.0, "all_slices": False}],
    "resample": [
        {"which": "in-plane", "spacing_mm": 0.9},
        {"which": "in-plane", "spacing_mm": 2.1, "interpolation": "linear"},
        {"which": "through-plane", "spacing_mm": 1.1},
        {"which": "isotropic", "spacing_mm": 1.3},
    ],
    "resample-like": [{"reference": "other"}],
    "align": [{"reference": "other", "touch_up": False}],
    "published-slices": [{"height_px": 50, "width_px": 44}],
}
STEPS_AND_SETTINGS = [(name, chosen) for name, cases in CASES.items() for chosen in cases]


def ids(pair) -> str:
    return f"{pair[0]}-{'-'.join(str(v) for v in pair[1].values())}"


def test_every_geometric_step_is_among_the_cases():
    assert {name_of(kind) for kind in STEPS if issubclass(kind, GeometricStep)} == CASES.keys()


def off_by(before: Scan, after: Scan) -> float:
    """How far the landmark is from where it was, in voxels of the result."""
    moved = centroid(after.voxels, after.affine) - centroid(before.voxels, before.affine)
    return float(np.abs(np.linalg.inv(after.affine[:3, :3]) @ moved).max())


@pytest.mark.parametrize("case", STEPS_AND_SETTINGS, ids=ids)
def test_landmarks_stay_in_all_orientations(case):
    name, chosen = case
    step = make_step(name, chosen)
    for affine in orientations():
        scan = blob_scan(affine)
        if name == "published-slices":
            scan = same_in_every_slice(scan)
        after = step(scan, tools_for(scan))
        assert off_by(scan, after) < WITHIN_VOXELS, (affine, after.affine)


def same_in_every_slice(scan: Scan) -> Scan:
    """8 bit by each slice's own range changes what slices weigh, so all are made alike."""
    turn = scan.grid.to_orientation()
    middle = scan.sagittal()[len(scan.sagittal()) // 2]
    return scan.with_voxels(turn.invert(np.repeat(middle[None], turn.grid.shape[0], 0)))


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-0.7, 0.7)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 4.0)] * 3),
    flip=st.booleans(),
    case=st.sampled_from([c for c in STEPS_AND_SETTINGS if c[0] in ("crop", "resample", "reorient")]),
)
def test_landmarks_stay_on_any_oblique_grid(angles, spacing, flip, case):
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one = np.eye(3)
        others = [a for a in range(3) if a != axis]
        one[np.ix_(others, others)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn = turn @ one
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing) * (-1 if flip else 1)
    affine[:3, 3] = (12, -40, 300)
    shape, landmark = (22, 26, 24), np.array([10.6, 14.2, 11.7])
    scan = blob_scan(affine, shape, landmark, width=2.2)
    step = make_step(*case)
    if case[0] == "resample":
        # Finer or somewhat coarser than the grid, whatever the grid is.
        step = make_step("resample", {**case[1], "spacing_mm": max(0.05, 1.15 * min(spacing))})
    if case[0] == "crop":
        # No more than about two voxels, or the blob itself would be cut and its centre move.
        step = make_step("crop", {side: mm * min(1, min(spacing) / 1.6) for side, mm in case[1].items()})
    assert off_by(scan, step(scan)) < WITHIN_VOXELS


@pytest.mark.parametrize("case", STEPS_AND_SETTINGS, ids=ids)
def test_labels_stay_labels_and_come_back(case):
    step = make_step(*case)
    for affine in orientations()[::5]:
        scan = blob_scan(affine)
        before = ball(scan)
        after = step(scan, tools_for(scan))
        moved = carry(before, after.history)
        assert moved.labels.dtype == np.uint16
        assert set(np.unique(moved.labels)) == {0, 7, 201}
        assert moved.grid.same_place_as(after.grid)
        assert (
            np.abs(centroid(moved.labels > 0, moved.affine) - centroid(before.labels > 0, affine)).max() < 0.8
        )

        back = bring_back(moved, after.history)
        assert back.grid.same_place_as(scan.grid)
        assert set(np.unique(back.labels)) == {0, 7, 201}
        assert dice(before.labels == 7, back.labels == 7) > (0.6 if name_is_coarser(case) else 0.8)


def name_is_coarser(case) -> bool:
    """Whether a voxel of the result is about as large as half the ball."""
    return case[1].get("spacing_mm") == 2.1 or case[0] in ("align", "resample-like")


@pytest.mark.parametrize("case", STEPS_AND_SETTINGS[:6], ids=ids)
def test_what_only_changes_place_comes_back_exactly(case):
    step = make_step(*case)
    for affine in orientations():
        scan = blob_scan(affine)
        before = ball(scan)
        history = step(scan, tools_for(scan)).history
        assert np.array_equal(bring_back(carry(before, history), history).labels, before.labels)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_a_chain_of_steps_comes_back():
    scan = blob_scan(orientations()[-1])
    after = scan
    for name, chosen in (("reorient", {}), ("crop", {"head_mm": 3}), ("resample", {"spacing_mm": 0.8})):
        after = make_step(name, chosen)(after)
    labels = Segmentation((after.voxels > 300).astype(np.uint16) * 5, after.affine)
    back = bring_back(labels, after.history)
    assert back.grid.same_place_as(scan.grid)
    assert dice(back.labels == 5, scan.voxels > 300) > 0.93


def test_a_segmentation_on_another_grid_is_refused():
    scan = blob_scan(orientations()[0])
    after = make_step("resample", {"spacing_mm": 0.8})(scan)
    with pytest.raises(SettingsError, match="not on the grid"):
        bring_back(ball(scan), after.history)


def test_cropping_everything_away_is_refused():
    with pytest.raises(SettingsError, match="nothing"):
        make_step("crop", {"head_mm": 400})(blob_scan(orientations()[3]))


def test_a_slip_in_the_spacing_is_refused():
    scan = Scan(np.zeros((200, 400, 400), np.uint8), np.diag([2.0, 2, 2, 1]))
    with pytest.raises(SettingsError, match="larger spacing"):
        make_step("resample", {"which": "isotropic", "spacing_mm": 0.05})(scan)


def test_without_a_spine_nothing_is_cut_away_and_it_says_so():
    scan = blob_scan(orientations()[0])
    after = make_step("crop-to-spine", {})(scan, Tools(find_spine=lambda s, c: np.zeros(s.voxels.shape)))
    assert after.voxels.shape == scan.voxels.shape
    assert "No spine" in after.warnings[-1]


def test_a_drawn_box_and_the_margins_say_the_same():
    from napari_spineseg.preprocessing.crop import Crop

    grid = Grid((20, 30, 25), orientations()[-2])
    view = grid.to_orientation().grid
    box = tuple((2 + axis, n - 3 - axis) for axis, n in enumerate(view.shape))
    assert Crop.around(box, grid).box(grid) == box
