import math
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.errors import DatasetError
from napari_spineseg.evaluation import CaseReport, Pair, compare, find_pairs, scan_name, summarise

AFFINE = np.diag([4.0, 1.0, 1.0, 1.0])


def column(shift=0, number=0):
    """L5 and L4 with the disc between them and the canal, in `levels` numbers."""
    labels = np.zeros((3, 20, 40), np.uint16)
    for label, first in ((1, 4), (2, 18)):
        labels[:, 8:14, first + shift : first + 10 + shift] = label + number
    labels[:, 8:14, 14 + shift : 18 + shift] = 202 + number
    labels[:, 2:5] = 100
    return labels


def save(folder, name, labels, affine=AFFINE):
    folder.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, affine), folder / name)
    return folder / name


def report_of(tmp_path, predicted, reference, **kwargs):
    pair = Pair(
        "1_t2",
        save(tmp_path / "p", "1_t2_seg.nii.gz", predicted, **kwargs),
        save(tmp_path / "r", "1_t2_levels.nii.gz", reference),
    )
    return compare(pair)


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


def test_a_perfect_result(tmp_path):
    report = report_of(tmp_path, column(), column())
    assert {title: f["dice"] for title, f in report.structures.items()} == {
        "vertebra": 1,
        "disc": 1,
        "spinal canal": 1,
    }
    assert report.levels.keys() == {"L5", "L4", "L4/L5", "spinal canal"}
    assert report.instances["vertebra"] == {"found": 1.0, "levels": 1.0}


def test_right_places_with_wrong_numbers(tmp_path):
    report = report_of(tmp_path, np.where(column() == 100, 100, column(number=1)), column())
    assert report.structures["vertebra"]["dice"] == 1.0
    assert report.instances["vertebra"] == {"found": 1.0, "levels": 0.0}
    assert report.levels["L5"]["dice"] == 0.0


def test_two_vertebrae_merged_into_one_are_not_both_found(tmp_path):
    merged = np.where(column() == 2, 1, column())
    assert report_of(tmp_path, merged, column()).instances["vertebra"]["found"] == 0.0


def test_distances_follow_the_spacing(tmp_path):
    assert report_of(tmp_path, column(shift=1), column()).levels["L5"]["hd95"] == 1.0


def test_the_volume_error_is_in_millilitres_and_signed(tmp_path):
    reference = column()
    predicted = reference.copy()
    predicted[0, 8:14, 4:14] = 0
    # 6 x 10 voxels of 4 mm³ are missing.
    assert report_of(tmp_path, predicted, reference).levels["L5"]["volume_error"] == pytest.approx(-0.24)


def test_another_grid_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="is not on the grid of"):
        report_of(tmp_path, column(), column(), affine=np.diag([4.0, 1.0, 2.0, 1.0]))


def test_means_are_over_scans_and_over_patients():
    def case(scan, dice):
        figures = {"vertebra": {"dice": dice, "recall": 1.0}, "disc": {"dice": 0.0, "recall": float("nan")}}
        return CaseReport(Pair(scan, Path(), Path()), figures)

    summary = summarise([case("1_t1", 1.0), case("1_t2", 0.5), case("2_t2", 0.0)])
    assert summary["structures"]["vertebra"]["dice"] == pytest.approx(0.5)
    assert summary["over_patients"]["vertebra"]["dice"] == pytest.approx(0.375)
    assert summary["patients"]["1"]["vertebra"]["dice"] == 0.75
    # No reference has discs, so they were not annotated and cannot be wrong.
    assert "disc" not in summary["structures"]
    assert math.isfinite(summary["structures"]["vertebra"]["recall"])
    assert summary["worst"] == {"vertebra": {"scan": "2_t2", "dice": 0.0}}
