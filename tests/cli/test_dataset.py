"""`spineseg dataset` as its user meets it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from napari_spineseg.io import write_scan, write_segmentation
from napari_spineseg.scan import Scan, Segmentation

AFFINE = np.array([[4.0, 0, 0, -14], [0, 0, -1.0, 20], [0, -1.0, 0, 40], [0, 0, 0, 1]])


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "dataset")


@pytest.fixture
def data(tmp_path) -> Path:
    """One scan with a vertebra, a disc, a canal, and a stray number."""
    labels = np.zeros((6, 40, 32), np.uint16)
    labels[1:5, 10:20, 5:15] = 1
    labels[1:5, 21:25, 5:15] = 201
    labels[1:5, 5:35, 20:24] = 100
    image = (labels * 2 + np.random.default_rng(0).integers(0, 40, labels.shape)).astype(np.int16)
    labels[2, 30, 8] = 250 + 50
    folder = tmp_path / "data"
    folder.mkdir()
    write_segmentation(Segmentation(labels, AFFINE), folder / "3_t2_levels.nii.gz")
    write_scan(Scan(image, AFFINE), folder / "3_t2_image.nii.gz")
    return folder


def test_audit_prints_a_table_and_writes_a_report(call, data, tmp_path):
    status, out, err = call(
        "audit", data, "--report", tmp_path / "report.json", "--repair", tmp_path / "better"
    )
    assert status == 0
    assert "The number 300 (1 voxels) is not in the scheme levels. [slice 2]" in out
    assert "Repaired labels of 1 scan written" in err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["counts"]["stray labels"] == 1
    assert (tmp_path / "better" / "3_t2_levels.nii.gz").is_file()
    status, out, _ = call("audit", tmp_path / "better")
    assert "stray" not in out


def test_audit_speaks_json(call, data):
    status, out, _ = call("audit", data, "--json")
    assert status == 0
    assert json.loads(out)["findings"][0]["case"] == "3_t2"


def test_export_writes_pairs(call, data, tmp_path):
    words = ("--height-px", "64", "--width-px", "48", "--json")
    status, out, _ = call("export-slices", data, "-o", tmp_path / "out", *words)
    assert status == 0
    assert json.loads(out)["slices"] == 4
    assert {p.name for p in (tmp_path / "out" / "images").iterdir()} == {
        p.name for p in (tmp_path / "out" / "masks").iterdir()
    }
    assert call("export-slices", data, "-o", tmp_path / "t1", "--sequence", "t1")[0] == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--filter", "published", "--reading", "preprint"), "--reading journal"), ((), "at once")],
)
def test_export_says_when_no_slice_was_kept_and_why(call, data, tmp_path, words, why):
    if not words:
        labels = np.zeros((6, 40, 32), np.uint16)
        labels[1:5, 10:20, 5:15] = 1
        write_segmentation(Segmentation(labels, AFFINE), data / "3_t2_levels.nii.gz")
    small = ("--height-px", "64", "--width-px", "48")
    status, out, err = call("export-slices", data, "-o", tmp_path / "out", *small, *words)
    assert status == 0 and out.startswith("0 of 6 slices of 1 scan ->")
    (line,) = err.splitlines()
    assert line.startswith("warning: None of 6 slices was kept") and why in line


def test_prepare_makes_what_training_reads(call, data, tmp_path):
    from napari_spineseg.datasets.prepared import load_prepared

    assert call("prepare", data, "-o", tmp_path / "out")[0] == 0
    (volume,) = load_prepared(tmp_path / "out")
    assert volume.patient == "3"
    assert volume.kind == "image"


@pytest.mark.parametrize("words", [("audit",), ("import-spider",), ("export-slices",), ("prepare",)])
def test_a_folder_that_is_none_is_said_so_in_a_line(call, tmp_path, words):
    out = () if words == ("audit",) else ("-o", tmp_path / "out")
    status, _, err = call(*words, tmp_path / "none", *out)
    assert status == 2
    assert len(err.splitlines()) == 1


def test_what_cannot_be_prepared_leaves_no_folder(call, tmp_path):
    (tmp_path / "none").mkdir()
    status, out, err = call("prepare", tmp_path / "none", "-o", tmp_path / "out")
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("mine")
    status, _, err = call("prepare", tmp_path / "none", "-o", tmp_path / "file")
    assert status == 2 and "is not a folder; name one with --output" in err


def test_a_repair_with_nothing_to_do_says_so(call, data, tmp_path):
    call("audit", data, "--repair", tmp_path / "once")
    for file in (tmp_path / "once").rglob("*.nii.gz"):
        file.replace(next(data.rglob(file.name)))
    _, _, err = call("audit", data, "--repair", tmp_path / "twice")
    assert "no labels were written" in err and not (tmp_path / "twice").exists()


def test_an_export_names_the_folder_it_was_given(call, data, tmp_path):
    (tmp_path / "file").write_text("mine")
    status, _, err = call("export-slices", data, "-o", tmp_path / "file")
    assert (status, err) == (2, f"error: {tmp_path / 'file'} is not a folder; name one with --output.\n")
