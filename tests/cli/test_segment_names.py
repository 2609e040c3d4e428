"""Whose results lie where: scans of one name, results that are there already, one volume of several."""

from __future__ import annotations

import json
from functools import partial

import nibabel as nib
import numpy as np
import pytest
from segment_kit import MODEL, save


@pytest.fixture
def call(spineseg, tiny_home, monkeypatch):
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))
    return partial(spineseg, "segment")


def test_two_scans_of_one_name_both_arrive(call, small_scan, tmp_path):
    first = save(small_scan, tmp_path / "a" / "x.nii")
    second = save(small_scan.with_voxels(small_scan.voxels * 2), tmp_path / "b" / "x.nii.gz")
    status, _, err = call(first, second, "-o", tmp_path / "out", *MODEL)
    assert status == 0
    assert "warning:" in err
    for stem, scan in (("x", first), ("x_2", second)):
        record = json.loads((tmp_path / "out" / f"{stem}_seg.json").read_text())
        assert record["input"]["path"] == str(scan)


def test_what_is_there_is_kept_unless_told(call, scan_file, tmp_path):
    out = tmp_path / "out"
    call(scan_file, "-o", out, *MODEL)
    (out / "back.1_seg.nii.gz").write_bytes(b"mine")
    status, _, err = call(scan_file, "-o", out, *MODEL)
    assert (status, (out / "back.1_seg.nii.gz").read_bytes()) == (0, b"mine")
    assert "skipped" in err
    assert "--overwrite" in err
    assert call(scan_file, "-o", out, "--overwrite", *MODEL)[0] == 0
    assert nib.load(out / "back.1_seg.nii.gz").shape == (24, 32, 5)


def test_a_result_of_another_scan_is_not_passed_off(call, scan_file, small_scan, tmp_path):
    call(scan_file, "-o", tmp_path / "out", *MODEL)
    other = save(small_scan, tmp_path / "other" / "back.1.nii.gz")
    _, _, err = call(other, "-o", tmp_path / "out", *MODEL)
    assert f"made from another scan, {scan_file}" in err


def test_a_map_of_doubt_that_is_there_is_kept_too(call, scan_file, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "back.1_uncertainty.nii.gz").write_bytes(b"mine")
    status, _, err = call(scan_file, "-o", tmp_path / "out", "--uncertainty", *MODEL)
    assert (status, "skipped" in err) == (0, True)
    assert (tmp_path / "out" / "back.1_uncertainty.nii.gz").read_bytes() == b"mine"
    assert call(scan_file, "-o", tmp_path / "out", *MODEL)[0] == 0


def test_the_record_says_which_volume_was_taken(call, small_scan, tmp_path):
    path = tmp_path / "two  volumes.nii.gz"
    nib.save(nib.Nifti1Image(np.stack([small_scan.voxels] * 2, axis=-1), small_scan.affine), path)
    status, out, _ = call(path, "-o", tmp_path / "out", "--volume", "1", "--json", *MODEL)
    record = json.loads((tmp_path / "out" / "two  volumes_seg.json").read_text())
    assert status == 0
    assert record["input"]["path"] == json.loads(out)["input"]["path"] == str(path)
    assert record["input"]["volume"] == 1
    status, _, err = call(path, "-o", tmp_path / "out", "--volume", "0", *MODEL)
    assert "was made from another volume of it, 1 (--overwrite replaces it)" in err
