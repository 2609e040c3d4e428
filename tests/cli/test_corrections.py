import json
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_spineseg import io
from napari_spineseg.scan import Segmentation

MODEL = {"name": "lumbar", "version": "1", "sha256": "ab" * 32}


@pytest.fixture
def corrections(spineseg):
    """`spineseg corrections` with these words, in this process."""

    def run(*words, status=0):
        returned, stdout, stderr = spineseg("corrections", *words)
        assert returned == status, stderr
        return SimpleNamespace(stdout=stdout, stderr=stderr)

    return run


def in_a_process(*words):
    """The same in a process of its own, as a person runs it."""
    command = [sys.executable, "-c", "from napari_spineseg.cli import main; main()", "corrections"]
    done = subprocess.run([*command, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def files(tmp_path, small_scan):
    """A scan, its labels and what a model said, with the model's record beside it."""
    labels = np.zeros(small_scan.voxels.shape, np.uint16)
    labels[4:12, 8:20, 1:4] = 1
    io.write_scan(small_scan, tmp_path / "small.nii.gz")
    io.write_segmentation(Segmentation(labels, small_scan.affine), tmp_path / "small_seg.nii.gz")
    predicted = Segmentation(labels, small_scan.affine)
    record = {"model": MODEL, "labels": predicted.checksum(), "structures": []}
    (tmp_path / "small_seg.json").write_text(json.dumps(record))
    labels[4:12, 20:24, 1:4] = 201
    io.write_segmentation(Segmentation(labels, small_scan.affine), tmp_path / "labels.nii.gz")
    return tmp_path


def test_add_list_export(corrections, files):
    store = ("--store", files / "store")
    scan = (files / "small.nii.gz", files / "labels.nii.gz")
    done = in_a_process("add", *scan, *store, "--prediction", files / "small_seg.nii.gz", "--json")
    row = json.loads(done.stdout)
    assert row["model"] == MODEL and row["state"] == "done"
    assert row["changed"]["voxels"] == 96 and (row["version"], row["warnings"]) == (1, [])
    assert "version 2" in corrections("add", *scan, *store, "--state", "in-progress").stdout
    listed = corrections("list", *store).stdout
    assert "small" in listed and "lumbar@1" in listed and "in-progress" in listed
    assert corrections("list", *store, "--state", "done", "--json").stdout == ""
    corrections("export", *store, "-o", files / "out", "--layout", "nnunet")
    assert (files / "out" / "Dataset001_SpineSeg" / "labelsTr" / "small.nii.gz").exists()
    assert corrections("export", *store, "-o", files / "plain").stderr == ""
    done = corrections("export", *store, "-o", files / "bids", "--layout", "bids")
    assert "small: its sequence is not known" in done.stderr
    assert next((files / "bids").glob("sub-*/anat/*_T2w.nii.gz"))


def test_a_prediction_that_was_changed_since_is_no_models(corrections, files, small_scan):
    """Moved by a row: as many voxels as before."""
    moved = io.read_segmentation(files / "small_seg.nii.gz")
    io.write_segmentation(replace(moved, labels=np.roll(moved.labels, 1, 1)), files / "small_seg.nii.gz")
    add = ("add", files / "small.nii.gz", files / "labels.nii.gz", "--store", files / "store")
    done = corrections(*add, "--prediction", files / "small_seg.nii.gz", "--json")
    assert json.loads(done.stdout)["model"] == {}
    assert "warning: " in done.stderr and "changed since they were segmented (by lumbar 1" in done.stderr
    named = corrections(*add, "--prediction", files / "small_seg.nii.gz", "--model", "mine", "--json")
    assert json.loads(named.stdout)["model"] == {"name": "mine"} and "changed since" not in named.stderr


def test_bad_input_is_one_line_and_stores_nothing(corrections, files):
    store = ("--store", files / "store")
    io.write_segmentation(Segmentation(np.ones((3, 3, 3), np.uint16), np.eye(4)), files / "other.nii.gz")
    done = corrections("add", files / "small.nii.gz", files / "other.nii.gz", *store, status=2)
    assert done.stderr.count("\n") == 1 and "not on the grid" in done.stderr
    assert "not a corrections store" in corrections("list", "--store", files / "none", status=2).stderr
    assert not (files / "store").exists()


def test_a_warning_names_the_file_that_it_is_about(corrections, files, small_scan):
    odd = np.zeros(small_scan.voxels.shape, np.uint16)
    odd[4:12, 8:20, 1:4], odd[4:12, 20:24, 1:4] = 1, 60
    io.write_segmentation(Segmentation(odd, small_scan.affine), files / "odd.nii.gz")
    words = ("--store", files / "store", "--json")
    done = corrections("add", files / "small.nii.gz", files / "odd.nii.gz", *words)
    (line,) = [line for line in done.stderr.splitlines() if "60" in line]
    assert line.startswith(f"warning: {files / 'odd.nii.gz'}: Numbers outside the levels scheme")
    assert line.removeprefix("warning: ") in json.loads(done.stdout)["warnings"]


@pytest.mark.parametrize("swapped", [False, True])
def test_what_cannot_be_labels_is_refused_and_stores_nothing(corrections, files, small_scan, swapped):
    """The scan twice, or the two files the wrong way round; and numbers that name nothing."""
    odd = np.zeros(small_scan.voxels.shape, np.uint16)
    odd[4:12, 8:20, 1:4] = 7000
    io.write_segmentation(Segmentation(odd, small_scan.affine), files / "odd.nii.gz")
    wrong = files / ("odd.nii.gz" if swapped else "small.nii.gz")
    done = corrections("add", files / "small.nii.gz", wrong, "--store", files / "store", status=2)
    assert done.stderr.count("\n") == 1 and wrong.name in done.stderr
    assert ("7000" if swapped else "not labels") in done.stderr
    assert not (files / "store").exists()
