"""What geometry alone tells of a scan."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.acquisition import doubt_about, plane_of
from napari_spineseg.grid import Grid

SIZES = {"sagittal": (4.0, 0.6, 0.6), "coronal": (0.6, 4.0, 0.6), "axial": (0.6, 0.6, 4.0)}


def grid(spacing: tuple[float, ...], extent_mm: tuple[float, ...] = (80, 250, 250)) -> Grid:
    """RAS axes: across, front to back, head to foot."""
    shape = tuple(max(1, round(mm / step)) for mm, step in zip(extent_mm, spacing, strict=True))
    return Grid(shape, np.diag([*spacing, 1.0]))


def tilted(grid: Grid, degrees: float) -> Grid:
    turn, angle = np.eye(4), np.radians(degrees)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Grid(grid.shape, turn @ grid.affine)


@pytest.mark.parametrize("plane", SIZES)
@pytest.mark.parametrize("degrees", [0, 25])
def test_the_plane_is_that_of_the_thickest_axis_however_the_file_orders_them(plane, degrees):
    stack = tilted(grid(SIZES[plane]), degrees)
    for codes in (("R", "A", "S"), ("P", "I", "R"), ("S", "L", "A")):
        assert plane_of(stack.to_orientation(codes).grid) == plane


@pytest.mark.parametrize("plane", ["axial", "coronal"])
def test_slices_of_another_plane_are_told_with_what_to_do(plane):
    doubt = doubt_about(grid(SIZES[plane]))
    assert f"{plane} slices 4.0 mm apart" in doubt and "sagittal series" in doubt


@pytest.mark.parametrize(
    ("spacing", "extent"),
    [
        (SIZES["sagittal"], (60, 250, 250)),
        ((4.0, 0.6, 0.6), (4, 250, 250)),
        ((1.0, 0.6, 0.6), (1, 250, 250)),
        ((1.0, 1.0, 1.0), (80, 250, 250)),
        ((0.9, 0.9, 1.2), (80, 250, 250)),
        ((3.0, 0.6, 3.0), (60, 250, 250)),
        ((4.0, 1.0, 1.0), (60, 60, 60)),
        ((5.0, 1.5, 1.5), (550, 500, 1900)),
    ],
)
def test_what_can_be_segmented_is_not_doubted(spacing, extent):
    """One sagittal slice, isotropic volumes and crops of two vertebrae among them."""
    assert doubt_about(grid(spacing, extent)) == ""


def test_one_slice_of_another_plane_will_hardly_do():
    assert "one axial slice" in doubt_about(grid((0.6, 0.6, 1.0), (250, 250, 1)))
    assert "one coronal slice" in doubt_about(grid((0.6, 1.0, 0.6), (250, 1, 250)))


def test_a_view_too_small_for_a_vertebra_or_too_large_for_a_scanner_is_told():
    assert "20 mm from head to foot" in doubt_about(grid((4.0, 0.6, 0.5), (60, 150, 20)))
    assert "more than fits a scanner" in doubt_about(grid((1.0, 1.0, 1.0), (1, 2000, 1500)))


def test_axes_given_by_nibabel_agree():
    stack = grid(SIZES["axial"])
    image = nib.as_closest_canonical(nib.Nifti1Image(np.zeros(stack.shape, np.uint8), stack.affine))
    assert plane_of(Grid(image.shape, image.affine)) == "axial"
