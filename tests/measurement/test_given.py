"""What is taken for labels, what is not, and when a scan is theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from measure_kit import block_spine, scan_of

from napari_spineseg.errors import ScanError
from napari_spineseg.io.labels import may_be_labels
from napari_spineseg.io.volume import Volume
from napari_spineseg.measurement.given import scan_for

LABELS = block_spine().labels
RAMP = np.arange(LABELS.size).reshape(LABELS.shape)


@pytest.mark.parametrize(
    ("voxels", "may_be"),
    [
        (LABELS, True),
        (LABELS.astype(np.float32), True),
        (np.where(LABELS > 0, LABELS, np.nan).astype(np.float32), True),
        (0 * LABELS, True),
        ((LABELS > 0).astype(np.uint8), True),
        (LABELS + 0.5, False),
        (LABELS.astype(int) - 1, False),
        (np.random.default_rng(0).integers(0, 90, LABELS.shape), False),  # an image of few grey values
        (RAMP, False),  # whole numbers, but too many
        (scan_of(block_spine()).voxels, False),
    ],
)
def test_labels_are_a_few_whole_numbers_in_flat_regions(voxels, may_be):
    assert may_be_labels(Volume(voxels, np.eye(4))) is may_be


def test_what_our_writer_left_in_the_header_is_believed():
    header = {"spineseg": {"kind": "scan"}}
    assert not may_be_labels(Volume(LABELS, np.eye(4), header))


@pytest.mark.parametrize("codes", [("R", "I", "P"), ("L", "A", "S"), ("S", "P", "R")])
def test_a_scan_in_another_order_of_axes_is_brought_into_that_of_the_labels(codes):
    segmentation = block_spine()
    scan = scan_of(segmentation)
    turn = scan.grid.to_orientation(codes)
    other = replace(scan, voxels=turn.apply(scan.voxels), affine=turn.grid.affine)
    back = scan_for(segmentation, other)
    np.testing.assert_array_equal(back.voxels, scan.voxels)
    assert back.grid.same_place_as(segmentation.grid)


@pytest.mark.parametrize("shift", [(0.5, 0, 0), (0, 0, 3)])
def test_a_scan_of_another_place_is_refused(shift):
    segmentation = block_spine()
    affine = segmentation.affine.copy()
    affine[:3, 3] += shift
    with pytest.raises(ScanError, match="not on the grid of these labels"):
        scan_for(segmentation, replace(scan_of(segmentation), affine=affine))
