"""`spineseg preprocess` as its user meets it."""

from __future__ import annotations

import json
import os
from functools import partial

import nibabel as nib
import numpy as np
import pytest

from napari_spineseg.io import read_scan
from napari_spineseg.preprocess import preprocess
from napari_spineseg.preprocessing import Pipeline, bundled, find_preset


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "preprocess")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_preset_gives_the_voxels_of_the_job(call, scan_file, tmp_path):
    status, out, err = call(scan_file, "-o", tmp_path / "out", "--preset", "clinical-t2")
    assert (status, err) == (0, "")
    assert names_in(tmp_path / "out") == ["back.1_prep.json", "back.1_prep.nii.gz"]
    assert "reorient, n4, clip, zscore" in out
    expected = preprocess(read_scan(scan_file), find_preset("clinical-t2"))
    written = read_scan(tmp_path / "out" / "back.1_prep.nii.gz")
    assert np.array_equal(written.voxels, expected.voxels)
    assert written.grid.same_place_as(expected.grid)


def test_steps_follow_the_preset_in_order(call, scan_file, tmp_path):
    words = ("--preset", "as-published", "--step", "clip:upper_percent=90", "--step", "zscore")
    assert call(scan_file, "-o", tmp_path, *words)[0] == 0
    record = json.loads((tmp_path / "back.1_prep.json").read_text())
    assert [entry["step"] for entry in record["history"]] == ["published-slices", "clip", "zscore"]
    assert record["history"][1]["settings"]["upper_percent"] == 90
    assert record["input"]["path"] == str(scan_file)
    assert Pipeline.model_validate(record["recipe"]).steps[1].upper_percent == 90


def test_a_segmentation_comes_back(call, scan_file, tmp_path, small_scan):
    recipe = ("--step", "reorient", "--step", "crop:head_mm=6,front_mm=4")
    assert call(scan_file, "-o", tmp_path, *recipe)[0] == 0
    prepared = nib.load(tmp_path / "back.1_prep.nii.gz")
    labels = (np.asarray(prepared.dataobj) > 500).astype(np.uint16) * 3
    nib.save(nib.Nifti1Image(labels, prepared.affine), tmp_path / "mine_seg.nii.gz")
    status, _, err = call(
        tmp_path / "mine_seg.nii.gz", "-o", tmp_path, "--back", tmp_path / "back.1_prep.json"
    )
    assert (status, err) == (0, "")
    back = nib.load(tmp_path / "mine_seg_back.nii.gz")
    assert back.shape == small_scan.voxels.shape
    assert np.allclose(back.affine, small_scan.affine)
    inside = np.asarray(back.dataobj) == 3
    assert inside.sum() == (labels == 3).sum()
    assert (small_scan.voxels[inside] > 500).all()


def test_results_are_kept_unless_told_otherwise(call, scan_file, tmp_path):
    assert call(scan_file, "-o", tmp_path, "--step", "zscore")[0] == 0
    before = (tmp_path / "back.1_prep.nii.gz").read_bytes()
    status, _, err = call(scan_file, "-o", tmp_path, "--step", "clip")
    assert status == 0
    assert "--overwrite" in err
    assert (tmp_path / "back.1_prep.nii.gz").read_bytes() == before
    assert call(scan_file, "-o", tmp_path, "--step", "clip", "--overwrite")[0] == 0
    assert (tmp_path / "back.1_prep.nii.gz").read_bytes() != before


def test_a_bad_scan_gets_one_line_and_the_others_are_done(call, scan_file, tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"not a scan")
    status, out, err = call(bad, scan_file, "-o", tmp_path / "out", "--step", "clip", "--json")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "bad.nii.gz" in err
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["failed", "done"]
    assert names_in(tmp_path / "out") == ["back.1_prep.json", "back.1_prep.nii.gz"]


def test_a_name_that_two_scans_share_is_told_of_in_the_record_too(call, scan_file, tmp_path):
    twin = tmp_path / "twin" / scan_file.name
    twin.parent.mkdir()
    twin.write_bytes(scan_file.read_bytes())
    status, out, err = call(scan_file, twin, "-o", tmp_path / "out", "--step", "reorient", "--json")
    assert (status, err.count("has this name too")) == (0, 1)
    first, second = map(json.loads, out.splitlines())
    assert not any("has this name too" in words for words in first["warnings"])
    assert any("has this name too" in words for words in second["warnings"])
    kept = json.loads((tmp_path / "out" / "back.1_2_prep.json").read_text(encoding="utf-8"))
    assert kept["warnings"] == second["warnings"]


def test_a_step_that_does_not_fit_one_scan_is_that_scans_matter(call, scan_file, tmp_path):
    status, _, err = call(scan_file, "-o", tmp_path / "out", "--step", "crop:head_mm=400")
    assert status == 2
    assert "nothing" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--preset", "nonsense"),
        ("--step", "sharpen"),
        ("--step", "clip:upper_percent=300"),
        ("--back", "none.json"),
        ("--back", "none.json", "--step", "clip"),
    ],
)
def test_a_bad_call_says_so_in_a_line(call, scan_file, tmp_path, words):
    status, out, err = call(scan_file, "-o", tmp_path / "out", *words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")


def test_a_reference_that_is_missing_is_named(call, scan_file, tmp_path):
    status, _, err = call(scan_file, "-o", tmp_path / "out", "--step", "match:reference=none.nii.gz")
    assert status == 2
    assert "none.nii.gz" in err
    status, _, err = call(scan_file, "-o", tmp_path / "out", "--step", "match")
    assert "reference" in err


def test_the_list_names_every_step_and_preset(call):
    status, out, _ = call("--list")
    assert status == 0
    for name in (*bundled(), "resample-like", "spacing_mm=0.5", "n4"):
        assert name in out


@pytest.mark.parametrize("words", [("--list", "--json"), ("--json", "--list")])
def test_the_list_is_json_a_line_where_that_is_asked_for(call, words):
    status, out, err = call(*words)
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert {row["name"] for row in rows if row["kind"] == "preset"} == set(bundled())
    (resample,) = (row for row in rows if row["name"] == "resample")
    assert {"spacing_mm"} <= {setting["name"] for setting in resample["settings"]}


def test_help_loads_no_torch():
    import subprocess
    import sys

    code = (
        "import sys\nfrom napari_spineseg.cli import main\n"
        "try: main(['preprocess', '--help'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "False"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("option", ["--back", "--preset"])
def test_a_pipe_is_not_waited_for(call, scan_file, tmp_path, option):
    os.mkfifo(tmp_path / "pipe.json")
    status, _, err = call(scan_file, "-o", tmp_path / "out", option, tmp_path / "pipe.json")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "pipe.json is no file" in err
    assert not (tmp_path / "out").exists()
