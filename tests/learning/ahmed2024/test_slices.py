import numpy as np
import pytest

from napari_spineseg.datasets.import_spider import import_spider
from napari_spineseg.errors import DatasetError
from napari_spineseg.io import write_scan, write_segmentation
from napari_spineseg.learning.ahmed2024.slices import read_slices
from napari_spineseg.scan import Scan, Segmentation

AFFINE = np.array([[4.0, 0, 0, -14], [0, 0, -1.0, 20], [0, -1.0, 0, 40], [0, 0, 0, 1]])


def test_a_release_is_read(release):
    slices = read_slices(release)
    assert len(slices) == 40
    assert slices.images.shape == slices.structures.shape == (40, 256, 256)
    assert set(np.unique(slices.structures)) == {0, 1, 2, 3}
    assert set(slices.patients) == {str(n) for n in range(1, 11)}
    assert set(slices.numbers) == {50, 51, 52, 53}
    assert slices.stacks[0].spacing == pytest.approx((0.9, 0.469, 0.469))


def test_images_are_stretched_to_8_bit(release):
    images = read_slices(release).stacks[0].images
    assert images.min((1, 2)).tolist() == [0] * 4
    assert images.max((1, 2)).tolist() == [255] * 4


def test_runs_of_a_patient_are_stacks_of_their_own(write_release, tmp_path):
    write_release(tmp_path, {"1": range(50, 53)})
    write_release(tmp_path, {"1": range(60, 62)})
    slices = read_slices(tmp_path)
    assert [len(s.images) for s in slices.stacks] == [3, 2]
    assert slices.stack.tolist() == [0, 0, 0, 1, 1]


def scan(folder, name, sequence):
    """A volume with slices that have everything in the middle, and nothing at the sides."""
    labels = np.zeros((6, 40, 32), np.uint16)
    labels[2:4, 10:20, 5:15], labels[2:4, 21:25, 5:15], labels[2:4, 5:35, 20:24] = 1, 201, 100
    image = (labels * 2 + np.random.default_rng(0).integers(0, 40, labels.shape)).astype(np.int16)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    write_scan(Scan(image, AFFINE), folder / "images" / f"{name}_{sequence}.mha")
    write_segmentation(Segmentation(labels, AFFINE), folder / "masks" / f"{name}_{sequence}.mha")
    return folder


def test_spider_as_downloaded_is_prepared_and_filtered(tmp_path):
    slices = read_slices(scan(tmp_path, "7", "t2"), "t2")
    assert len(slices) == 2
    assert slices.place.tolist() == [2, 3]
    assert len(slices.stacks[0].images) == 6  # the others remain as neighbours
    assert slices.stacks[0].images.shape == (6, 640, 512)
    assert slices.stacks[0].spacing == pytest.approx((4, 40 / 640, 32 / 512))


def test_only_the_wanted_sequence_is_read(tmp_path):
    scan(tmp_path, "7", "t1")
    scan(tmp_path, "8", "t2")
    assert set(read_slices(tmp_path, "t1").patients) == {"7"}
    assert set(read_slices(tmp_path, "all").patients) == {"7", "8"}
    with pytest.raises(DatasetError, match="t2_SPACE"):
        read_slices(tmp_path, "t2_SPACE")


def test_splits_of_folders_are_known(tmp_path, write_release):
    write_release(tmp_path / "train", {"1": range(3)})
    import_spider(scan(tmp_path / "download", "7", "t2_SPACE"), tmp_path / "imported", 0.0)
    (tmp_path / "imported" / "train").rename(tmp_path / "val")
    slices = read_slices(tmp_path / "train")
    assert set(slices.splits) == {"train"}
    assert set(read_slices(tmp_path / "val").splits) == {"val"}
