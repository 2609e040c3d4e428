import numpy as np

from napari_spineseg.grid import SAGITTAL, Grid, sagittal_affine


def test_the_sagittal_affine_is_that_of_the_sagittal_view():
    grid = Grid((5, 6, 7), sagittal_affine((4.0, 0.5, 0.7)))
    assert grid.orientation == "".join(SAGITTAL)
    assert np.allclose(grid.spacing, (4.0, 0.5, 0.7)) and not grid.origin.any()
    voxels = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    assert np.array_equal(grid.to_orientation().apply(voxels), voxels)


def test_an_array_comes_back_from_any_orientation():
    turn = Grid((5, 6, 7), np.diag([1.0, -2.0, 3.0, 1.0])).to_orientation()
    voxels = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    seen = turn.apply(voxels)
    assert seen.shape == turn.grid.shape and turn.grid.orientation == "".join(SAGITTAL)
    assert np.array_equal(turn.invert(seen), voxels)
