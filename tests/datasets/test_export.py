"""Slices out, and SPIDER in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_spineseg.datasets.cases import find_cases
from napari_spineseg.datasets.export import ExportSettings, export_slices
from napari_spineseg.datasets.import_spider import import_spider
from napari_spineseg.datasets.png_release import find_slices, read_slice
from napari_spineseg.errors import DatasetError, OutputError
from napari_spineseg.io import read_scan, read_segmentation, write_scan
from napari_spineseg.scan import Scan

from .labelled import AFFINE, image_of, levels, save

SMALL = {"height_px": 160, "width_px": 96}


def test_slices_are_those_of_the_release(tmp_path):
    save(tmp_path / "data", "12_t2_SPACE", levels(), image_of(levels(), 1))
    written = export_slices(find_cases(tmp_path / "data"), tmp_path / "out", ExportSettings(**SMALL))
    # Four of eight slices have canal and discs.
    assert [p.name for p in written] == [f"12_t2_SPACE_slice{n}.png" for n in range(2, 6)]
    item = find_slices(tmp_path / "out")[0]
    image, structures = read_slice(item)
    assert image.shape == (160, 96)
    assert image.max() > 240
    assert set(np.unique(Image.open(item.mask))) == {0, 29, 76, 150}
    assert (structures[::2, ::2] == 3).sum() == pytest.approx(73 * 6, rel=0.05)


def test_filters_are_followed(tmp_path):
    save(tmp_path / "data", "12_t2", levels(), image_of(levels(), 1))
    cases = find_cases(tmp_path / "data")
    assert len(export_slices(cases, tmp_path / "all", ExportSettings(filter="none", **SMALL))) == 8
    kept = ExportSettings(filter="published", reading="preprint", **SMALL)
    assert export_slices(cases, tmp_path / "none", kept) == []


def test_apta_exports_masks_as_published(tmp_path):
    save(tmp_path / "data", "12_t2", levels(), image_of(levels(), 1))
    cases = find_cases(tmp_path / "data")
    first = {}
    for how in ("direct", "apta"):
        paths = export_slices(cases, tmp_path / how, ExportSettings(labels=how, **SMALL))
        first[how] = np.array(Image.open(tmp_path / how / "masks" / paths[0].name))
    assert set(np.unique(first["apta"])) == {0, 29, 76, 150}
    assert not np.array_equal(first["apta"], first["direct"])


def test_nothing_is_replaced(tmp_path):
    save(tmp_path / "data", "12_t2", levels(), image_of(levels(), 1))
    cases = find_cases(tmp_path / "data")
    export_slices(cases, tmp_path / "out", ExportSettings(**SMALL))
    with pytest.raises(OutputError, match="there already"):
        export_slices(cases, tmp_path / "out", ExportSettings(**SMALL))


def test_two_scans_of_one_name_are_refused_before_anything_is_written(tmp_path):
    for part in ("a", "b"):
        save(tmp_path / "data" / part, "12_t2", levels(), image_of(levels(), 1))
    with pytest.raises(
        DatasetError, match=r"a.12_t2.* and .*b.12_t2.* would both be exported as 12_t2_slice0"
    ):
        export_slices(find_cases(tmp_path / "data"), tmp_path / "out", ExportSettings(**SMALL))
    assert not (tmp_path / "out").exists()


def test_labels_without_an_image_cannot_be_exported(tmp_path):
    save(tmp_path, "12_t2", levels())
    with pytest.raises(DatasetError, match="no image"):
        export_slices(find_cases(tmp_path), tmp_path / "out", ExportSettings())


@pytest.fixture
def download(tmp_path):
    """SPIDER as downloaded: three patients, one of them with two sequences."""
    folder = tmp_path / "spider"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for n, name in enumerate(("1_t1", "1_t2", "2_t2", "3_t2_SPACE")):
        labels = levels()
        labels[labels == 5] = 105  # partly visible, in SPIDER's numbers
        write_scan(Scan(image_of(levels(), n), AFFINE), folder / "images" / f"{name}.mha")
        # As a plain file: our label files say what their numbers mean, and then nothing is guessed.
        write_scan(Scan(labels, AFFINE), folder / "masks" / f"{name}.mha")
    rows = ["new_file_name,subset", "1_t1,training", "1_t2,training", "2_t2,validation"]
    (folder / "overview.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    return folder


def test_spider_is_imported_by_patient(download, tmp_path):
    written = import_spider(download, tmp_path / "out")
    assert len(written) == 4
    splits = {p.name.split("_image")[0]: p.parent.name for p in written}
    assert splits["1_t1"] == splits["1_t2"] == "train"
    assert splits["2_t2"] == "val"
    scan = read_scan(tmp_path / "out" / "train" / "1_t2_image.nii.gz")
    labels = read_segmentation(tmp_path / "out" / "train" / "1_t2_levels.nii.gz")
    assert scan.grid.same_place_as(labels.grid)
    assert set(labels.found()) == {1, 2, 3, 4, 5, 100, 201, 202, 203, 204, 205}
    manifest = (tmp_path / "out" / "manifest.csv").read_text().splitlines()
    assert manifest[1].startswith("1_t1,1,train,t1,")
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["licence"] == "CC BY 4.0"
    assert {c.split for c in find_cases(tmp_path / "out")} == {"train", "val"}


def test_patients_without_a_subset_are_drawn_the_same_every_time(download, tmp_path):
    (download / "overview.csv").unlink()
    first = [p.parent.name for p in import_spider(download, tmp_path / "a", validation_share=0.5)]
    second = [p.parent.name for p in import_spider(download, tmp_path / "b", validation_share=0.5)]
    assert first == second
    everyone = import_spider(download, tmp_path / "c", validation_share=0.0)
    assert {p.parent.name for p in everyone} == {"train"}


def test_importing_twice_is_refused(download, tmp_path):
    import_spider(download, tmp_path / "out")
    with pytest.raises(OutputError, match="already"):
        import_spider(download, tmp_path / "out")


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="not a download"):
        import_spider(tmp_path, tmp_path / "out")


def test_a_mask_without_an_image_is_named(download, tmp_path):
    (download / "images" / "2_t2.mha").unlink()
    with pytest.raises(DatasetError, match="2_t2"):
        import_spider(download, tmp_path / "out")
