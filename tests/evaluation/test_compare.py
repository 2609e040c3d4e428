import nibabel as nib
import numpy as np
import pytest
from evaluation_kit import column, save
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from napari_spineseg.errors import DatasetError
from napari_spineseg.evaluation import Pair, compare


def report_of(tmp_path, predicted, reference, **kwargs):
    pair = Pair(
        "1_t2",
        save(tmp_path / "p", "1_t2_seg.nii.gz", predicted, **kwargs),
        save(tmp_path / "r", "1_t2_levels.nii.gz", reference),
    )
    return compare(pair)


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


@pytest.mark.parametrize("axes", ["LPI", "SAR", "PIL"])
def test_the_order_of_axes_changes_no_figure(tmp_path, axes):
    predicted = save(tmp_path, "x_seg.nii.gz", column(shift=1))
    reference = save(tmp_path, "x_labels.nii.gz", column())
    straight = compare(Pair("x", predicted, reference))
    image = nib.load(predicted)
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(axes))
    nib.save(image.as_reoriented(turn), tmp_path / "turned_seg.nii.gz")
    turned = compare(Pair("x", tmp_path / "turned_seg.nii.gz", reference))
    assert turned.structures == straight.structures and turned.levels == straight.levels
    assert turned.instances == straight.instances
