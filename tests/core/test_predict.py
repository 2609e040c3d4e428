from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from nibabel import orientations
from torch import nn

from napari_spineseg.core.checkpoint import LoadedModel, ModelCard
from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.networks.spine_net import SpineNet
from napari_spineseg.core.predict import PredictOptions, predict, predict_slice
from napari_spineseg.errors import ModelError, SettingsError, Stopped
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

from .conftest import threshold_model

ORIENTATIONS = [
    codes for axes in itertools.permutations(("LR", "AP", "IS")) for codes in itertools.product(*axes)
]


def blocks(shape=(6, 40, 32)) -> np.ndarray:
    """(slices, height, width): noise with a bright column, brighter blocks in it, and a rim."""
    rng = np.random.default_rng(0)
    volume = rng.normal(20, 2, shape)
    volume[1:-1, 4:-4, 10:16] = 60
    volume[1:-1, 8:14, 10:16] = 90
    volume[2:-1, 4:-4, 18:21] = 120
    return volume.astype(np.float32)


def sagittal_scan(volume: np.ndarray, spacing=(4.0, 1.0, 1.0)) -> Scan:
    """A scan whose voxels are already sagittal slices, rows downward, columns to the back."""
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = spacing[0], -spacing[1], -spacing[2], 1
    affine[:3, 3] = 12.5, -30, 71
    return Scan(volume, affine)


def turned(scan: Scan, codes: tuple[str, str, str]) -> Scan:
    """The same scan stored along other axes."""
    turn = scan.grid.to_orientation(codes)
    return Scan(np.ascontiguousarray(turn.apply(scan.voxels)), turn.grid.affine)


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS, ids="".join)
def test_labels_are_the_same_whatever_the_orientation(codes, threshold):
    scan = sagittal_scan(blocks())
    expected = predict(scan, threshold).structures
    assert set(np.unique(expected)) == {0, 1, 2, 3}

    other = turned(scan, codes)
    structures = predict(other, threshold).structures

    assert structures.shape == other.voxels.shape
    assert structures.dtype == np.uint8
    back = orientations.apply_orientation(
        structures,
        orientations.ornt_transform(
            orientations.io_orientation(other.affine), orientations.io_orientation(scan.affine)
        ),
    )
    np.testing.assert_array_equal(back, expected)
