"""Several volumes or series in one file or folder: what is said where one can be picked, and where not."""

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.datasets.cases import find_cases
from napari_spineseg.errors import ScanError
from napari_spineseg.evaluation import read_labels
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.io.napari import read_layers
from napari_spineseg.preprocess import open_reference

HOW = r"^a\.nii\.gz: holds 3 volumes, and one is needed; .*`spineseg preprocess a\.nii\.gz --volume 0 --step"


@pytest.fixture
def several(tmp_path):
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6, 3), np.int16), np.diag([2.0, 1, 1, 1])), path)
    return path


def test_where_a_volume_can_be_picked_the_option_is_named(several):
    with pytest.raises(ScanError, match=r"pick one with --volume \(0 to 2\)"):
        read_scan(several)


@pytest.mark.parametrize("read", [read_layers, read_segmentation, read_labels, open_reference])
def test_where_none_can_be_picked_it_says_how_to_get_a_file_of_one(several, read):
    with pytest.raises(ScanError, match=HOW):
        read(str(several) if read in (read_layers, open_reference) else several)


def test_a_name_with_a_blank_is_quoted_where_a_command_is_proposed(several):
    spaced = several.rename(several.with_name("left back.nii.gz"))
    with pytest.raises(ScanError, match=r"`spineseg preprocess 'left back\.nii\.gz' --volume 0 --step"):
        read_segmentation(spaced)


@pytest.mark.parametrize(
    ("pick", "words"),
    [
        ({"series": "3"}, "a.nii.gz: is no DICOM, .*leave --series out"),
        ({"volume": 1}, "IM1: is DICOM, .*--series"),
    ],
)
def test_a_pick_that_has_no_meaning_for_a_file_is_refused(several, pick, words):
    several.with_name("IM1").write_bytes(bytes(128) + b"DICM" + bytes(99))
    with pytest.raises(ScanError, match=words):
        read_scan(several if "series" in pick else several.with_name("IM1"), **pick)


def test_a_scan_of_a_dataset_cannot_be_picked_either(several):
    image, labels = several.with_name("5_image.nii.gz"), several.with_name("5_labels.nii.gz")
    several.rename(image)
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.eye(4)), labels)
    (case,) = find_cases(several.parent)
    with pytest.raises(ScanError, match="spineseg preprocess 5_image"):
        case.read_scan()


def test_a_file_of_one_volume_says_that_it_has_no_other(several):
    nib.save(nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), np.eye(4)), several)
    with pytest.raises(ScanError, match="holds one volume and has no volume 3; leave --volume out"):
        read_scan(several, volume=3)
