from pathlib import Path

import pytest
from evaluation_kit import column, save

from napari_spineseg.errors import DatasetError
from napari_spineseg.evaluation import find_pairs, scan_name


@pytest.mark.parametrize(
    "name", ["7_t2", "7_t2_seg", "7_t2_image_seg", "7_t2_labels", "7_t2_levels", "7_t2_mask"]
)
def test_names_of_one_scan(name):
    assert scan_name(Path(f"{name}.nii.gz")) == "7_t2"


def test_folders_match_by_name_and_levels_win(tmp_path):
    labels = column()
    save(tmp_path / "p", "1_t2_image_seg.nii.gz", labels)
    save(tmp_path / "p", "2_t2_seg.nii.gz", labels)
    for name in ("1_t2_image", "1_t2_labels", "1_t2_levels", "3_t2_labels"):
        save(tmp_path / "r", f"{name}.nii.gz", labels)
    (pair,) = find_pairs(tmp_path / "p", tmp_path / "r")
    assert (pair.scan, pair.patient, pair.reference.name) == ("1_t2", "1", "1_t2_levels.nii.gz")


def test_nothing_to_compare_is_said(tmp_path):
    save(tmp_path / "p", "1_seg.nii.gz", column())
    save(tmp_path / "r", "2_labels.nii.gz", column())
    with pytest.raises(DatasetError, match="x_labels"):
        find_pairs(tmp_path / "p", tmp_path / "r")
    with pytest.raises(DatasetError, match="does not exist"):
        find_pairs(tmp_path / "nowhere", tmp_path / "r")
