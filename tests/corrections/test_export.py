import json
from dataclasses import replace

import numpy as np
import pytest

from napari_spineseg import io
from napari_spineseg.corrections.export import LAYOUTS, export
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.errors import OutputError, StoreError
from napari_spineseg.scan import Segmentation


@pytest.fixture
def entries(tmp_path, small_scan):
    """Two scans of one name and a third that is excluded, all corrected."""
    store = CorrectionsStore(tmp_path / "store", create=True)
    labels = np.zeros(small_scan.voxels.shape, np.uint16)
    labels[4:12, 8:20, 1:4] = 2
    labels[4:12, 20:24, 1:4] = 202
    labels[14:16, 8:24, 2] = 100
    for number, name in enumerate(("a b", "a-b", "no")):
        scan = replace(small_scan, voxels=small_scan.voxels + number, name=name, sequence="T2")
        store.add_correction(scan, Segmentation(labels, scan.affine))
        store.find(scan).say("excluded" if name == "no" else "done")
    return store.entries()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_and_scans_stay_together_on_their_grid(entries, tmp_path, layout):
    files = export(entries, tmp_path / "out", layout)
    assert len(set(files)) == 2
    images = [p for p in (tmp_path / "out").rglob("*.nii.gz") if p not in files]
    assert len(images) == 2
    for file in files:
        assert io.read_segmentation(file).grid.same_place_as(io.read_scan(images[0]).grid)


def test_nnunet_raw_layout(entries, tmp_path):
    files = export(entries, tmp_path / "out", "nnunet")
    dataset = tmp_path / "out" / "Dataset001_SpineSeg"
    about = json.loads((dataset / "dataset.json").read_text())
    assert about["numTraining"] == 2 and about["file_ending"] == ".nii.gz"
    assert about["channel_names"] == {"0": "MRI"}
    assert sorted(about["labels"].values()) == [0, 1, 2, 3]
    for file in files:
        assert (dataset / "imagesTr" / file.name.replace(".nii.gz", "_0000.nii.gz")).exists()
        assert set(np.unique(io.read_segmentation(file).labels)) == {0, 1, 2, 3}


def test_bids_derivatives(entries, tmp_path):
    (file, _) = export(entries, tmp_path / "out", "bids")
    root = tmp_path / "out"
    assert json.loads((root / "dataset_description.json").read_text())["DatasetType"] == "raw"
    derivative = json.loads((root / "derivatives" / "spineseg" / "dataset_description.json").read_text())
    assert derivative["DatasetType"] == "derivative" and derivative["GeneratedBy"][0]["Name"] == "SpineSeg"
    subject = file.parts[-3]
    assert subject.startswith("sub-") and subject[4:].isalnum()
    said = json.loads(file.with_name(file.name.replace(".nii.gz", ".json")).read_text())
    source = root / said["Sources"][0].removeprefix("bids::")
    assert source.exists() and source.name == f"{subject}_T2w.nii.gz"
    table = file.with_name(file.name.replace(".nii.gz", ".tsv")).read_text().splitlines()
    assert table == ["index\tname", "2\tL4", "100\tspinal canal", "202\tL4/L5"]


def test_nothing_is_written_over_anything(entries, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="holds something already"):
        export(entries, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_empty_choice_is_said(entries, tmp_path):
    with pytest.raises(StoreError, match="no corrected scan"):
        export([e for e in entries if e.state == "excluded"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
