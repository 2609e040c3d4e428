import numpy as np
import pytest
from PIL import Image

from napari_spineseg.anatomy import colour_of
from napari_spineseg.overview import PANEL_HEIGHT, overview, write_overview
from napari_spineseg.scan import Scan, Segmentation


def column(affine=None) -> tuple[Scan, Segmentation]:
    """A scan of one bright block in three slices, labelled L5."""
    voxels = np.zeros((7, 40, 30), np.int16)
    voxels[2:5, 10:30, 5:20] = 500
    affine = np.diag([4.0, -1.0, -1.0, 1.0])[[0, 2, 1, 3]] if affine is None else affine
    labels = (voxels > 0).astype(np.uint16)
    return Scan(voxels, affine, name="block"), Segmentation(labels, affine)


def test_the_page_shows_plain_and_labelled_slices():
    scan, segmentation = column()
    page = overview(scan, segmentation)
    assert page.dtype == np.uint8
    assert page.shape[0] > PANEL_HEIGHT
    coloured = (page.max(2).astype(int) - page.min(2)) > 40
    left, right = np.array_split(coloured[60:-30, :-180], 2, axis=1)
    assert right.sum() > 1000
    assert left[:, : left.shape[1] // 2].sum() == 0


def test_the_legend_has_the_colour_of_each_label():
    scan, segmentation = column()
    page = overview(scan, segmentation)
    red, green, blue = (int(colour_of(1)[i : i + 2], 16) for i in (1, 3, 5))
    assert (page[:, -180:] == (red, green, blue)).all(2).sum() > 100


@pytest.mark.parametrize("value", [0, 7, np.nan, np.inf])
def test_scans_without_contrast_are_drawn_all_the_same(value):
    scan, segmentation = column()
    flat = scan.with_voxels(np.full(scan.voxels.shape, value, np.float32))
    empty = Segmentation(np.zeros_like(segmentation.labels), scan.affine)
    assert overview(flat, empty).std() > 0


def test_an_axial_volume_of_few_slices_fits_on_the_page():
    scan, segmentation = column(np.diag([1.0, 1.0, 4.0, 1.0]))
    assert overview(scan, segmentation).shape[1] < 8000


def test_the_file_is_a_png(tmp_path):
    write_overview(*column(), tmp_path / "page.png", "block: L5")
    with Image.open(tmp_path / "page.png") as image:
        assert image.format == "PNG"
