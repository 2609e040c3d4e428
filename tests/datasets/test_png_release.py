import numpy as np
import pytest
from PIL import Image

from napari_spineseg.anatomy import Structure
from napari_spineseg.datasets.png_release import consecutive_runs, find_slices, read_slice
from napari_spineseg.errors import DatasetError


@pytest.fixture
def release(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for index in (4, 5, 9):
        image = np.full((6, 8), index, np.uint8)
        mask = np.zeros((6, 8), np.uint8)
        mask[0], mask[1], mask[2], mask[3] = 76, 29, 150, 99
        Image.fromarray(image).save(tmp_path / "images" / f"011_t2_SPACE_slice{index}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"011_t2_SPACE_slice{index}.png")
    return tmp_path


def test_slices_are_found_in_order_with_their_patient(release):
    found = find_slices(release)
    assert [(s.patient, s.sequence, s.index) for s in found] == [("011", "t2_SPACE", n) for n in (4, 5, 9)]


def test_greys_become_structures_and_other_greys_background(release):
    image, structures = read_slice(find_slices(release)[0])
    assert (image == 4).all()
    assert structures[:4, 0].tolist() == [Structure.VERTEBRA, Structure.DISC, Structure.CANAL, 0]


def test_runs_break_where_slice_numbers_jump(release):
    assert [[s.index for s in run] for run in consecutive_runs(find_slices(release))] == [[4, 5], [9]]


def test_a_missing_mask_is_named(release):
    (release / "masks" / "011_t2_SPACE_slice5.png").unlink()
    with pytest.raises(DatasetError, match="slice5"):
        find_slices(release)


def test_a_folder_without_slices_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no images"):
        find_slices(tmp_path)
