from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.anatomy import Numbering
from napari_spineseg.errors import ScanError
from napari_spineseg.io import read_segmentation
from napari_spineseg.io.labels import is_label_file
from napari_spineseg.io.read import read_volume


def column(*labels: int) -> np.ndarray:
    """(8 right, 8 front, 40 up): blocks above one another, the first at the bottom."""
    array = np.zeros((8, 8, 40), np.uint16)
    height = 40 // len(labels)
    for number, label in enumerate(labels):
        array[2:6, 2:6, number * height : (number + 1) * height - 1] = label
    return array


def save(tmp_path, array, name="a.nii.gz"):
    nib.save(nib.Nifti1Image(array, np.diag([3.0, 0.5, 0.6, 1])), tmp_path / name)
    return tmp_path / name


def test_spider_levels(tmp_path):
    array = column(1, 201, 2, 202, 3)
    array[:, 0, :] = 100
    found = read_segmentation(save(tmp_path, array))
    np.testing.assert_array_equal(found.labels, array)
    assert (found.scheme, found.labels.dtype, found.warnings) == ("levels", np.uint16, ())
    assert found.names()[201] == "L5/S1"


def test_structures_lie_side_by_side(tmp_path):
    array = np.zeros((8, 8, 40), np.uint16)
    array[2:6, 0:3, ::4], array[2:6, 0:3, 1::4], array[2:6, 5:7] = 1, 2, 3
    found = read_segmentation(save(tmp_path, array))
    assert found.scheme == "structures" and found.names()[2] == "disc"


def test_four_bodies_above_one_another_are_levels(tmp_path):
    assert read_segmentation(save(tmp_path, column(1, 2, 3, 4))).scheme == "levels"
    assert read_segmentation(save(tmp_path, column(1, 1, 1), "x_levels.nii.gz")).scheme == "levels"


def test_partly_visible_vertebrae_of_spider(tmp_path):
    array = column(1, 2, 3, 104)
    array[:, 0, :] = 100
    found = read_segmentation(save(tmp_path, array))
    assert set(found.found()) == {1, 2, 3, 4, 100}
    assert "partly visible: L2" in found.warnings[0] and found.provenance["partly_visible"] == [4]


def test_totalspineseg(tmp_path):
    array = column(50, 100, 45, 95, 44, 94, 43)
    array[:, 0, :], array[:, 1, :] = 2, 1
    found = read_segmentation(save(tmp_path, array))
    assert set(found.found()) == {1, 2, 3, 100, 201, 202, 203}
    np.testing.assert_array_equal(found.labels == 1, array == 45)
    np.testing.assert_array_equal(found.labels == 201, array == 100)
    np.testing.assert_array_equal(found.labels == 100, (array == 1) | (array == 2))
    assert "TotalSpineSeg" in found.warnings[0]


def test_totalspineseg_upward(tmp_path):
    names = read_segmentation(save(tmp_path, column(41, 91, 32, 82, 31, 72, 21, 71, 17, 63))).names()
    assert set(names.values()) == {
        "L1",
        "T12/L1",
        "T12",
        "T11/T12",
        "T11",
        "T1/T2",
        "T1",
        "C7/T1",
        "C7",
        "C2/C3",
    }


def test_spineps(tmp_path):
    array = column(26, 124, 224, 24, 123, 23, 122, 22)
    found = read_segmentation(save(tmp_path, array))
    np.testing.assert_array_equal(found.labels == 1, (array == 24) | (array == 224))
    np.testing.assert_array_equal(found.labels == 201, array == 124)
    assert found.names()[3] == "L3" and found.numbering == Numbering()


def test_spineps_with_six_lumbar_and_thirteen_thoracic(tmp_path):
    found = read_segmentation(save(tmp_path, column(125, 25, 124, 24, 120, 20, 128, 28)))
    assert found.numbering == Numbering(lumbar=6, thoracic=13)
    assert set(found.names().values()) == {"L6", "L6/S1", "L5", "L5/L6", "L1", "L1/L2", "T13", "T13/L1"}


def test_spineps_regions(tmp_path):
    found = read_segmentation(save(tmp_path, column(41, 49, 62, 100, 60, 61, 26)))
    assert found.scheme == "structures" and set(found.found()) == {1, 2, 3}


@pytest.mark.parametrize("labels", [(1, 2, 100), (41, 42, 43), (1, 201, 2, 202), (20, 21, 22), (1, 2, 50)])
def test_what_could_be_another_tools_is_not_translated(tmp_path, labels):
    array = column(*labels)
    np.testing.assert_array_equal(read_segmentation(save(tmp_path, array)).labels, array)


def test_strays_are_kept_and_named(tmp_path):
    found = read_segmentation(save(tmp_path, column(1, 2, 999)))
    assert 999 in found.found() and "999" in found.warnings[0]


@pytest.mark.parametrize("number", [26, 60, 99, 226, 299, 400])
def test_numbers_that_name_no_level_are_no_vertebrae_and_no_discs(tmp_path, number):
    found = read_segmentation(save(tmp_path, column(1, 2, 201, 100, number)))
    (warning,) = found.warnings
    assert f"were kept: {number}; they name no level" in warning
    assert found.names()[number] == f"label {number}"


@pytest.mark.parametrize("number", [25, 225, 301, 399])
def test_the_last_numbers_of_each_kind_are_no_strays(tmp_path, number):
    assert not read_segmentation(save(tmp_path, column(1, 2, 201, 100, number))).warnings


def test_whole_floats_are_fine_others_are_refused(tmp_path):
    array = column(1, 2, 5).astype(np.float32)
    array[0, 0, 0] = np.nan
    np.testing.assert_array_equal(read_segmentation(save(tmp_path, array)).labels, np.nan_to_num(array))
    for bad in (0.5, -1, 70000):
        array[0, 0, 0] = bad
        with pytest.raises(ScanError, match=r"a\.nii\.gz: is not a label file"):
            read_segmentation(save(tmp_path, array))


def looks_like_labels(tmp_path, array, name="scan.nii.gz"):
    path = save(tmp_path, array, name)
    return is_label_file(read_volume(path), path)


@pytest.mark.parametrize("labels", [(1, 201, 2, 100), (45, 95, 44, 100), (24, 124, 23, 123), (1, 2, 3, 4, 5)])
def test_label_files_by_content(tmp_path, labels):
    assert looks_like_labels(tmp_path, column(*labels).astype(np.uint8))


@pytest.mark.parametrize("name", ["x_seg.nii.gz", "masks.nii.gz", "case_levels.nii.gz", "A-Labels.nii.gz"])
def test_label_files_by_name(tmp_path, name):
    assert looks_like_labels(tmp_path, column(7, 9), name)


def test_images_are_not_labels(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (20, 20, 20)).astype(np.uint8)
    few = rng.integers(0, 4, (20, 20, 20)).astype(np.uint8)
    smooth = np.clip(np.indices((20, 20, 20)).sum(0) * 4, 0, 255).astype(np.uint8)
    constant = np.full((20, 20, 20), 3, np.uint8)
    for picture in (noise, few, smooth, constant, column(7, 9)):
        assert not looks_like_labels(tmp_path, picture)
    for picture in (noise, smooth, noise.astype(np.float32) / 7):
        assert not looks_like_labels(tmp_path, picture, "knee_seg.nii.gz")


def test_real_files(shared_data):
    for name, expected in (("case_image", False), ("case_levels", True)):
        path = shared_data / "spider_t2" / f"{name}.nii.gz"
        assert is_label_file(read_volume(path), path) is expected


def test_nan_among_labels_is_told_of(tmp_path):
    array = column(1, 201, 2, 202, 3).astype(np.float32)
    array[2, 2, :3] = np.nan
    found = read_segmentation(save(tmp_path, array))
    assert "3 voxels are not numbers (NaN) and were taken for background." in found.warnings
    assert found.labels[2, 2, 0] == 0
