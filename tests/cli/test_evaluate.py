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
    (failed,) = (line for line in map(json.loads, out.splitlines()) if line.get("status") == "failed")
    assert failed["scan"] == "1_t2" and failed["error"] in err


def test_folders_that_do_not_match_are_a_bad_call(call, tmp_path):
    assert call(tmp_path, tmp_path)[0] == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_neither_a_file_nor_a_folder(call, folders, tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    for words in ((tmp_path / "pipe.nii", folders[1]), (folders[0], tmp_path / "pipe.nii")):
        status, out, err = call(*words)
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert "pipe.nii" in err


def test_numbers_of_no_scheme_are_not_scored_in_silence(call, folders):
    file = folders[0] / "1_t1_image_seg.nii.gz"
    image = nib.load(file)
    odd = image.get_fdata().astype(np.uint16)
    odd[0, 0, 0] = 150
    nib.save(nib.Nifti1Image(odd, image.affine), folders[0] / "odd.nii.gz")
    status, out, err = call(folders[0] / "odd.nii.gz", folders[1] / "1_t1_labels.nii.gz", "--json")
    assert status == 0
    assert "odd.nii.gz: Numbers outside the levels scheme were kept: 150" in err
    (warning,) = json.loads(out.splitlines()[0])["warnings"]
    assert warning in err


def test_a_reference_number_that_names_no_level_is_not_scored_as_one(call, folders):
    file = folders[1] / "1_t1_labels.nii.gz"
    image = nib.load(file)
    odd = image.get_fdata().astype(np.uint16)
    odd[odd == 1] = 50
    nib.save(nib.Nifti1Image(odd, image.affine), folders[1] / "odd.nii.gz")
    status, out, err = call(file, folders[1] / "odd.nii.gz", "--json")
    report = json.loads(out.splitlines()[0])
    assert status == 0 and "odd.nii.gz: Numbers outside the levels scheme were kept: 50" in err
    assert "label 50" not in report["levels"] and "background" not in report["instances"]


def test_an_image_is_refused_on_either_side(call, folders):
    name = "1_t1.nii.gz"
    grey = np.random.default_rng(0).integers(0, 256, (3, 20, 40)).astype(np.uint8)
    for folder in folders:
        nib.save(nib.Nifti1Image(grey, np.diag([4.0, 1, 1, 1])), folder / name)
    labels = folders[1] / "1_t1_labels.nii.gz"
    for pair in ((folders[0] / name, labels), (labels, folders[1] / name)):
        status, out, err = call(*pair)
        assert (status, out) == (2, "")
        assert len(err.splitlines()) == 1 and "holds an image, not labels" in err


def test_files_without_a_partner_are_told_of(call, folders):
    (folders[0] / "1_t2_image_seg.nii.gz").rename(folders[0] / "9_t2_seg.nii.gz")
    status, _, err = call(*folders)
    assert status == 0
    assert f"warning: {folders[0] / '9_t2_seg.nii.gz'}: has no reference of its name" in err
    assert f"warning: {folders[1] / '1_t2_labels.nii.gz'}: has no prediction of its name" in err


def test_a_second_file_of_a_scan_is_told_of(call, folders):
    (folders[0] / "1_t1_seg.nii.gz").write_bytes((folders[0] / "1_t1_image_seg.nii.gz").read_bytes())
    _, out, err = call(*folders, "--json")
    assert len(out.splitlines()) == 4
    assert "was not compared; 1_t1_" in err


def test_what_no_reference_labels_is_left_out_of_every_scan(call, folders):
    for file in folders[1].iterdir():
        image = nib.load(file)
        voxels = image.get_fdata().astype(np.uint16)
        voxels[voxels == 100] = 0
        nib.save(nib.Nifti1Image(voxels, image.affine), file.with_name(f"new_{file.name}"))
        file.with_name(f"new_{file.name}").replace(file)
    status, out, err = call(*folders, "--json")
    assert status == 0
    assert "no reference labels it: spinal canal" in err
    assert all(set(json.loads(line)["structures"]) == {"vertebra"} for line in out.splitlines()[:-1])


def test_what_was_compared_before_a_stop_is_not_lost(call, folders, monkeypatch):
    from napari_spineseg.cli import evaluate

    compare, seen = evaluate.compare, []

    def stopped_at_the_second(pair):
        if seen:
            raise KeyboardInterrupt
        seen.append(pair)
        return compare(pair)

    monkeypatch.setattr(evaluate, "compare", stopped_at_the_second)
    status, out, err = call(*folders, "--json")
    assert status == 130
    assert "1 of 3 scans were compared" in err
    assert json.loads(out.splitlines()[0])["scan"] == "1_t1"
