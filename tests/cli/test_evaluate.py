import json
import os
from functools import partial

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def folders(tmp_path):
    labels = np.zeros((3, 20, 40), np.uint16)
    labels[:, 8:14, 4:14] = 1
    labels[:, 2:5] = 100
    for folder, ending in (("p", "image_seg"), ("r", "labels")):
        (tmp_path / folder).mkdir()
        for scan in ("1_t1", "1_t2", "2_t2"):
            image = nib.Nifti1Image(labels, np.diag([4.0, 1, 1, 1]))
            nib.save(image, tmp_path / folder / f"{scan}_{ending}.nii.gz")
    return tmp_path / "p", tmp_path / "r"


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "evaluate")


def test_tables_for_a_person(call, folders):
    status, out, err = call(*folders)
    assert (status, err) == (0, "")
    for text in (
        "1_t1 (patient 1)",
        "Mean of 3 scans",
        "Mean of 2 patients",
        "ASSD mm",
        "1.0000",
        "By level",
    ):
        assert text in out
    header, row = (line for line in out.splitlines()[1:3])
    assert len(header) == len(row)


def test_lines_for_a_program(call, folders):
    _, out, _ = call(*folders, "--json")
    *cases, last = map(json.loads, out.splitlines())
    assert [case["scan"] for case in cases] == ["1_t1", "1_t2", "2_t2"]
    assert last["summary"]["structures"]["vertebra"]["dice"] == 1.0


def test_one_bad_file_does_not_stop_the_others(call, folders):
    (folders[0] / "1_t2_image_seg.nii.gz").write_bytes(b"no labels")
    status, out, err = call(*folders, "--json")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "1_t2_image_seg.nii.gz" in err
    assert json.loads(out.splitlines()[-1])["summary"]["scans"] == 2


def test_folders_that_do_not_match_are_a_bad_call(call, tmp_path):
    assert call(tmp_path, tmp_path)[0] == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_neither_a_file_nor_a_folder(call, folders, tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    for words in ((tmp_path / "pipe.nii", folders[1]), (folders[0], tmp_path / "pipe.nii")):
        status, out, err = call(*words)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert "pipe.nii" in err


def test_an_image_in_place_of_labels_is_not_scored_in_silence(call, folders, tmp_path):
    shades = np.random.default_rng(0).integers(0, 250, (3, 20, 40)).astype(np.uint16)
    nib.save(nib.Nifti1Image(shades, np.diag([4.0, 1, 1, 1])), tmp_path / "image.nii.gz")
    reference = folders[1] / "1_t1_labels.nii.gz"
    status, out, err = call(tmp_path / "image.nii.gz", reference, "--json")
    assert status == 0
    (warning, *_) = json.loads(out.splitlines()[0])["warnings"]
    assert f"warning: {warning}" in err
    assert warning.startswith(f"{tmp_path / 'image.nii.gz'}: ")
