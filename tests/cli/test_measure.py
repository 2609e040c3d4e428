"""`spineseg measure` as its user meets it: what is written, what is said, and the exit status."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from measure_kit import block_spine, scan_of

from napari_spineseg import io
from napari_spineseg.anatomy import Numbering

FILES = ["blocks_measures.csv", "blocks_measures.json", "blocks_report.html"]


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "measure")


@pytest.fixture
def labels(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "blocks_seg.nii.gz"
    io.write_segmentation(block_spine(), path)
    return path


@pytest.fixture
def scan(labels) -> Path:
    path = labels.with_name("blocks.mha")
    io.write_scan(scan_of(block_spine()), path)
    return path


def record_beside(labels: Path, /, **changes: object) -> dict:
    """A record as `spineseg segment` leaves it, with six lumbar vertebrae."""
    record = {
        "model": {"name": "lumbar", "version": "7", "sha256": "ab" * 32},
        "numbering": {"lumbar": 6, "thoracic": 12},
        "structures": [
            {"label": n, "name": "", "voxels": v, "ml": 1.0} for n, v in block_spine().found().items()
        ],
        "input": {"path": "/somewhere/blocks.mha", "sha256": "cd" * 32},
        "settings": {"scheme": "levels"},
        "warnings": ["The lowest level is doubtful."],
    } | changes
    labels.with_name("blocks_seg.json").write_text(json.dumps(record))
    return record


def read_record(folder: Path) -> dict:
    def no_nan(word):
        raise AssertionError(word)

    return json.loads((folder / "blocks_measures.json").read_text(encoding="utf-8"), parse_constant=no_nan)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_table_a_record_and_a_report_are_written(call, labels, scan, tmp_path):
    status, out, _ = call(labels, "--scan", scan, "-o", tmp_path / "out")
    assert status == 0
    assert names_in(tmp_path / "out") == FILES
    assert "blocks_measures.csv" in out
    with (tmp_path / "out" / "blocks_measures.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    volumes = {row["level"]: float(row["value"]) for row in rows if row["key"] == "vertebra_volume"}
    assert volumes == pytest.approx({"L5": 15.36, "L4": 15.36, "L3": 15.36})
    assert all(row["value"] or row["reason"] for row in rows)
    page = (tmp_path / "out" / "blocks_report.html").read_text(encoding="utf-8")
    assert "Research use only" in page
    assert page.count("data:image/png;base64,") >= 2


def test_the_record_says_of_what_and_with_what(call, labels, scan, tmp_path):
    call(labels, "--scan", scan, "-o", tmp_path / "out", "--band-mm", "6")
    record = read_record(tmp_path / "out")
    for name, path in (("input", labels), ("scan", scan)):
        assert record[name]["path"] == str(path)
        assert record[name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["settings"]["band_mm"] == 6
    assert record["versions"]["spineseg"]
    assert record["numbering"] == {"lumbar": 5, "thoracic": 12}
    figures = {(f["level"], f["key"]): f for f in record["figures"]}
    assert figures["L4", "vertebra_volume"]["value"] == pytest.approx(15.36)
    for figure in record["figures"]:
        assert figure["value"] is not None or figure["reason"]
        assert figure["definition"]
    assert isinstance(record["warnings"], list)


def test_without_report(call, labels, tmp_path):
    assert call(labels, "-o", tmp_path / "out", "--no-report")[0] == 0
    assert names_in(tmp_path / "out") == FILES[:2]


def test_a_report_that_is_left_from_before_is_warned_of(call, labels, tmp_path):
    call(labels, "-o", tmp_path / "out")
    _, _, err = call(labels, "-o", tmp_path / "out", "--no-report", "--overwrite")
    assert "blocks_report.html is of an earlier call" in err


def test_the_record_beside_the_labels_is_believed(call, tmp_path, labels):
    """Where the labels' own header does not say how levels are counted: another program wrote them."""
    import nibabel as nib

    plain = nib.Nifti1Image(block_spine().labels, block_spine().affine)
    nib.save(plain, labels)
    record_beside(labels)
    status, _, err = call(labels, "-o", tmp_path / "out")
    assert status == 0
    record = read_record(tmp_path / "out")
    assert record["numbering"] == {"lumbar": 6, "thoracic": 12}
    assert {"L6", "L5", "L4"} <= {figure["level"] for figure in record["figures"]}
    assert record["model"] == {"name": "lumbar", "version": "7", "sha256": "ab" * 32}
    assert "The lowest level is doubtful." in record["warnings"]
    assert "warning:" in err
    assert "lumbar 7" in (tmp_path / "out" / "blocks_report.html").read_text(encoding="utf-8")


def test_what_does_not_fit_the_record_is_said(call, labels, scan, tmp_path):
    counted = [{"label": 1, "voxels": 5}]
    record_beside(labels, structures=counted)
    _, _, err = call(labels, "--scan", scan, "-o", tmp_path / "out")
    assert "changed since they were segmented (by lumbar 7, as blocks_seg.json tells)" in err
    assert "levels are named after the labels" in err
    assert "made from another file than blocks (blocks.mha)" in err
    assert read_record(tmp_path / "out")["numbering"]["lumbar"] == 5


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("kept", ["checksum", "counts"])
def test_a_change_that_keeps_every_count_is_noticed_by_the_checksum(call, labels, tmp_path, moved, kept):
    """Records of earlier versions have counts alone: they are read, and cannot tell."""
    record_beside(labels, **({"labels": block_spine().checksum()} if kept == "checksum" else {}))
    if moved:
        io.write_segmentation(replace(block_spine(), labels=np.roll(block_spine().labels, 1, 1)), labels)
    status, _, err = call(labels, "-o", tmp_path / "out")
    noticed = moved and kept == "checksum"
    assert status == 0 and ("changed since they were segmented" in err) is noticed
    assert read_record(tmp_path / "out")["source"]["labels_changed_since"] is noticed
    page = (tmp_path / "out" / "blocks_report.html").read_text(encoding="utf-8")
    assert ("; changed since" in page) is noticed and "lumbar 7" in page


@pytest.mark.parametrize("ending", [".nii", ".mha", ".nrrd", ".tif"])
def test_labels_kept_in_another_format_are_not_changed(call, labels, tmp_path, ending):
    record_beside(labels, labels=block_spine().checksum())
    other = labels.with_name(f"blocks_seg{ending}")
    io.write_segmentation(block_spine(), other)
    _, _, err = call(other, "-o", tmp_path / "out", "--no-report")
    assert "changed since" not in err


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model": 3}', "[" * 100_000])
def test_a_stranger_beside_the_labels_is_not_believed(call, labels, tmp_path, content):
    labels.with_name("blocks_seg.json").write_text(content)
    status, _, err = call(labels, "-o", tmp_path / "out", "--no-report")
    assert status == 0
    assert "blocks_seg.json beside the labels is no record" in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes on Windows")
def test_a_pipe_beside_the_labels_is_not_waited_for(call, labels, tmp_path):
    os.mkfifo(labels.with_name("blocks_seg.json"))
    assert call(labels, "-o", tmp_path / "out", "--no-report")[0] == 0


@pytest.mark.parametrize("ending", [".nii", ".mha", ".nrrd", ".tif"])
def test_labels_of_any_format_are_measured(call, tmp_path, ending):
    path = tmp_path / f"blocks_seg{ending}"
    io.write_segmentation(block_spine(), path)
    assert call(path, "-o", tmp_path / "out", "--no-report")[0] == 0
    assert read_record(tmp_path / "out")["figures"]


def test_one_person_in_another_orientation_has_the_same_figures(call, labels, tmp_path):
    """And a scan whose axes run otherwise than those of its labels is the same scan still."""
    turn = block_spine().grid.to_orientation(("A", "L", "S"))
    turned = replace(block_spine(), labels=turn.apply(block_spine().labels), affine=turn.grid.affine)
    io.write_segmentation(turned, tmp_path / "turned_seg.nii.gz")
    io.write_scan(scan_of(block_spine()), tmp_path / "upright.nii.gz")
    assert call(labels, tmp_path / "turned_seg.nii.gz", "-o", tmp_path / "out", "--no-report")[0] == 0
    words = ("--scan", tmp_path / "upright.nii.gz", "-o", tmp_path / "with", "--no-report")
    assert call(tmp_path / "turned_seg.nii.gz", *words)[0] == 0
    tables = [
        list(csv.DictReader((tmp_path / place).read_text(encoding="utf-8").splitlines()))
        for place in ("out/blocks_measures.csv", "out/turned_measures.csv")
    ]
    for one, other in zip(*tables, strict=True):
        assert one["key"] == other["key"]
        assert float(one["value"] or 0) == pytest.approx(float(other["value"] or 0), abs=0.02), one["key"]


def test_a_number_that_names_no_level_is_said_and_not_measured(call, labels, tmp_path):
    spine = block_spine()
    odd = replace(spine, labels=np.where(spine.labels == 2, 60, spine.labels).astype(np.uint16))
    io.write_segmentation(odd, labels)
    status, _, err = call(labels, "-o", tmp_path / "out", "--no-report")
    assert status == 0
    assert "60; they name no level" in err
    rows = csv.DictReader((tmp_path / "out" / "blocks_measures.csv").read_text(encoding="utf-8").splitlines())
    assert not [row for row in rows if "60" in row["level"]]


def bad_files(folder: Path) -> dict[str, str]:
    """Files that cannot be measured, and a word of why."""
    spine = block_spine()
    image = scan_of(spine)
    io.write_scan(image, folder / "image.mha")
    grey = image.with_voxels((image.voxels.astype(np.float32) / 3.0).astype(np.uint8))
    io.write_scan(grey, folder / "eight_bit_seg.nii")
    structures = replace(spine, labels=np.minimum(spine.labels, 3).astype(np.uint16), scheme="structures")
    io.write_segmentation(structures, folder / "structures_seg.nii.gz")
    strays = replace(spine, labels=np.where(spine.labels > 0, 777, 0).astype(np.uint16))
    io.write_segmentation(strays, folder / "strays_seg.nii.gz")
    (folder / "text_seg.nii.gz").write_bytes(b"these are no labels")
    return {
        "image.mha": "image, not labels",
        "eight_bit_seg.nii": "image, not labels",
        "structures_seg.nii.gz": "levels",
        "strays_seg.nii.gz": "none of the numbers of levels",
        "text_seg.nii.gz": "corrupt|cannot|not|damaged",
        "nowhere_seg.nii.gz": "cannot be opened",
    }


def test_what_cannot_be_measured_costs_one_line_each_and_nothing_else(call, labels, tmp_path):
    import re

    whys = bad_files(labels.parent)
    before = names_in(labels.parent)
    status, _, err = call(*(labels.parent / name for name in whys), labels, "-o", tmp_path / "out")
    assert status == 2
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(lines) == len(whys)
    for line, (name, why) in zip(lines, whys.items(), strict=True):
        assert name in line
        assert re.search(why, line), line
    assert "Traceback" not in err
    assert names_in(tmp_path / "out") == FILES
    assert names_in(labels.parent) == before


def test_a_scan_of_another_grid_is_refused(call, labels, tmp_path):
    other = scan_of(block_spine(spacing=(4.0, 2.0, 1.1)), "other")
    io.write_scan(other, tmp_path / "other.nii.gz")
    status, _, err = call(labels, "--scan", tmp_path / "other.nii.gz", "-o", tmp_path / "out")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "not on the grid of these labels" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "SEG"),
        (("blocks_seg.nii.gz",), "output"),
        (("blocks_seg.nii.gz", "other_seg.nii.gz", "--scan", "x.nii", "-o", "out"), "one by one"),
        (("blocks_seg.nii.gz", "--scan", "./blocks_seg.nii.gz", "-o", "out"), "itself"),
        (("blocks_seg.nii.gz", "--volume", "1", "-o", "out"), "--scan"),
        (("blocks_seg.nii.gz", "--band-mm", "400", "-o", "out"), "band-mm"),
        (("blocks_seg.nii.gz", "-o", "blocks_seg.nii.gz"), "folder"),
    ],
)
def test_a_bad_call_is_refused_before_anything_is_written(call, labels, monkeypatch, words, why):
    monkeypatch.chdir(labels.parent)
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert why in err
    assert "Traceback" not in err
    assert names_in(labels.parent) == ["blocks_seg.nii.gz"]


def test_existing_results_are_kept(call, labels, tmp_path):
    call(labels, "-o", tmp_path / "out")
    mine = tmp_path / "out" / "blocks_report.html"
    mine.write_text("with my remarks")
    status, _, err = call(labels, "-o", tmp_path / "out")
    assert status == 0
    assert "skipped" in err
    assert mine.read_text() == "with my remarks"
    assert call(labels, "-o", tmp_path / "out", "--overwrite")[0] == 0
    assert "Research use only" in mine.read_text(encoding="utf-8")


def test_segmentations_of_one_name_do_not_replace_each_other(call, labels, tmp_path):
    other = tmp_path / "blocks_seg.mha"
    io.write_segmentation(block_spine(), other)
    status, _, err = call(labels, other, "-o", tmp_path / "out", "--no-report")
    assert status == 0
    assert "another segmentation of this call has this name too; results go to blocks_2_measures" in err
    assert names_in(tmp_path / "out") == sorted(
        [*FILES[:2], "blocks_2_measures.csv", "blocks_2_measures.json"]
    )
    assert err.count("has this name too") == 1
    first, second = (
        json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))["warnings"]
        for name in ("blocks_measures.json", "blocks_2_measures.json")
    )
    remark = "another segmentation of this call has this name too; results go to blocks_2_measures."
    assert remark in second and remark not in first


def test_json_is_one_object_a_line(call, labels, tmp_path):
    status, out, _ = call(labels, tmp_path / "no_seg.nii", "-o", tmp_path / "out", "--json", "--no-report")
    assert status == 2
    done, failed = map(json.loads, out.splitlines())
    assert (done["status"], failed["status"]) == ("done", "failed")
    assert done["output"] == str(tmp_path / "out" / "blocks_measures.csv")
    assert done["figures"] == read_record(tmp_path / "out")["figures"]


def test_nothing_labelled_is_a_warning_and_no_error(call, tmp_path):
    empty = replace(block_spine(), labels=np.zeros_like(block_spine().labels))
    io.write_segmentation(empty, tmp_path / "blocks_seg.nii.gz")
    status, _, err = call(tmp_path / "blocks_seg.nii.gz", "-o", tmp_path / "out")
    assert status == 0
    assert err.startswith("warning:")
    assert "no picture" in (tmp_path / "out" / "blocks_report.html").read_text(encoding="utf-8")


def test_nothing_labelled_needs_no_word_of_levels(call, tmp_path):
    image = nib.Nifti1Image(np.zeros((9, 9, 9), np.uint16), np.diag([4.0, 1, 1, 1]))
    nib.save(image, tmp_path / "none.nii.gz")  # by another program: nothing says which scheme it is
    status, _, err = call(tmp_path / "none.nii.gz", "-o", tmp_path / "out")
    assert status == 0
    assert "nothing was measured" in err


def test_a_name_with_a_dash_comes_after_two(call, labels, monkeypatch):
    monkeypatch.chdir(labels.parent)
    labels.rename(labels.with_name("-x_seg.nii.gz"))
    assert call("-o", "out", "--no-report", "--", "-x_seg.nii.gz")[0] == 0
    assert names_in(labels.parent / "out") == ["-x_measures.csv", "-x_measures.json"]


def test_names_are_escaped_wherever_they_are_shown(call, labels, tmp_path):
    name = "<img src=x onerror=alert(1)>&\"'\x07\u202egpj"
    strange = labels.with_name(f"{name}_seg.nii.gz")
    labels.rename(strange)
    assert call(strange, "-o", tmp_path / "out")[0] == 0
    page = (tmp_path / "out" / f"{name}_report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "\x07" not in page
    assert "\u202e" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&#x27;" in page


def test_an_interrupt_leaves_nothing_half_done(labels, tmp_path):
    code = """
import sys, time
import napari_spineseg.cli.measure as command
def slow(*args):
    open(sys.argv[1], "w").close()
    time.sleep(60)
command.report_html = slow
from napari_spineseg.cli import main
main(["measure", *sys.argv[2:]])
"""
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, "-c", code, ready, labels, "-o", tmp_path / "out"], stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped: 0 of 1 segmentations are done." in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_measuring_loads_no_torch(labels, tmp_path):
    code = (
        "import sys\nfrom napari_spineseg.cli import main\n"
        "try:\n    main(['measure', *sys.argv[1:]])\n"
        "except SystemExit as exit_:\n    print(exit_.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, labels, "-o", tmp_path / "out"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1].split() == ["0", "False"]


def test_six_lumbar_vertebrae_of_the_header_are_named_so(call, labels, tmp_path):
    io.write_segmentation(replace(block_spine(), numbering=Numbering(lumbar=6)), labels)
    call(labels, "-o", tmp_path / "out", "--no-report")
    assert {"L6", "L5", "L4"} <= {figure["level"] for figure in read_record(tmp_path / "out")["figures"]}
