"""`spineseg segment` as its user meets it: what is written, what is said, and the exit status."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from segment_kit import MODEL, save

from napari_spineseg.io import read_segmentation
from napari_spineseg.scan import Scan


@pytest.fixture(autouse=True)
def _tiny_model(tiny_home, monkeypatch):
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "segment")


def bad_file(folder: Path, name: str = "bad.nii.gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"this is no scan")
    return folder / name


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_segmentation_lies_on_its_scans_grid(call, scan_file, small_scan, tmp_path):
    status, _, _ = call(scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 0
    assert names_in(tmp_path / "out") == ["back.1_seg.json", "back.1_seg.nii.gz"]
    result = nib.load(tmp_path / "out" / "back.1_seg.nii.gz")
    assert result.shape == small_scan.voxels.shape
    assert result.get_data_dtype() == np.uint16
    np.testing.assert_allclose(result.affine, small_scan.affine, atol=1e-4)


def test_the_record_says_how_it_was_made(call, scan_file, small_scan, tmp_path, tiny_weights):
    call(scan_file, "-o", tmp_path / "out", "--scheme", "structures", *MODEL)

    def no_nan(word):
        raise AssertionError(word)

    record = json.loads((tmp_path / "out" / "back.1_seg.json").read_text(), parse_constant=no_nan)
    assert record["input"] == {
        "path": str(scan_file),
        "sha256": hashlib.sha256(scan_file.read_bytes()).hexdigest(),
    }
    card = json.loads(tiny_weights.with_suffix(".json").read_text())
    assert record["model"] == {"name": "tiny", "version": "1", "sha256": card["sha256"]}
    assert record["settings"]["scheme"] == "structures"
    assert record["versions"].keys() >= {"spineseg", "torch"}
    assert record["device"] == "cpu"
    assert record["precision"]
    assert record["seconds"]["total"] >= record["seconds"]["predict"] > 0
    labels = np.asarray(nib.load(tmp_path / "out" / "back.1_seg.nii.gz").dataobj)
    assert {s["label"]: s["voxels"] for s in record["structures"]} == {
        int(n): int((labels == n).sum()) for n in np.unique(labels) if n
    }
    assert record["labels"] == read_segmentation(tmp_path / "out" / "back.1_seg.nii.gz").checksum()
    for structure in record["structures"]:
        assert structure["ml"] == pytest.approx(structure["voxels"] * 0.016)
    assert isinstance(record["warnings"], list)


def test_an_empty_scan_is_a_warning_and_no_error(call, small_scan, tmp_path):
    scan = small_scan.with_voxels(np.zeros_like(small_scan.voxels))
    path = save(scan, tmp_path / "empty.nii")
    status, _, err = call(path, "-o", tmp_path / "out", *MODEL)
    assert status == 0
    assert (tmp_path / "out" / "empty_seg.nii.gz").exists()
    record = json.loads((tmp_path / "out" / "empty_seg.json").read_text())
    assert record["warnings"]
    assert all(line.startswith("warning:") for line in err.splitlines())
    for warning in record["warnings"]:
        assert f"warning: {path}: {warning}" in err.splitlines()


def test_json_is_one_object_a_line(call, scan_file, tmp_path):
    bad = bad_file(tmp_path / "scans")
    status, out, err = call(scan_file, bad, "-o", tmp_path / "out", "--json", *MODEL)
    assert status == 2
    done, failed = map(json.loads, out.splitlines())
    assert done["status"] == "done"
    assert done["output"] == str(tmp_path / "out" / "back.1_seg.nii.gz")
    assert done["input"]["path"] == str(scan_file)
    assert (failed["status"], failed["input"]["path"]) == ("failed", str(bad))
    assert [line for line in err.splitlines() if not line.startswith("warning:")] == [
        line for line in err.splitlines() if "bad.nii.gz" in line
    ]


def test_a_bad_scan_costs_one_line_and_no_other_scan(call, scan_file, tmp_path):
    bad = bad_file(tmp_path / "scans")
    before = names_in(tmp_path / "scans")
    status, _, err = call(bad, scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 2
    errors = [line for line in err.splitlines() if not line.startswith("warning:")]
    assert len(errors) == 1
    assert str(bad) in errors[0]
    assert names_in(tmp_path / "out") == ["back.1_seg.json", "back.1_seg.nii.gz"]
    assert names_in(tmp_path / "scans") == before


def test_a_name_that_is_too_long_costs_no_other_scan(call, scan_file, tmp_path):
    name = "a" * 300 + ".nii.gz"
    status, _, err = call(tmp_path / name, scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 2
    (error,) = [line for line in err.splitlines() if not line.startswith("warning:")]
    assert error.startswith(f"error: {tmp_path / name}: cannot be opened (")
    assert names_in(tmp_path / "out") == ["back.1_seg.json", "back.1_seg.nii.gz"]


@pytest.mark.parametrize("name", ["nowhere.nii.gz", "two\nlines.nii", "\x1b[31m.mha", "-dash.nii"])
def test_missing_scans_are_named_on_one_line(call, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("-o", "out", *MODEL, "--", name)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "\x1b" not in err


def test_names_with_a_dash_come_after_two(call, small_scan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(small_scan, tmp_path / "-x.nii")
    assert call("-o", "out", *MODEL, "--", "-x.nii")[0] == 0
    assert (tmp_path / "out" / "-x_seg.nii.gz").exists()


def test_uncertainty_is_written_on_the_same_grid(call, scan_file, small_scan, tmp_path):
    assert call(scan_file, "-o", tmp_path / "out", "--uncertainty", *MODEL)[0] == 0
    image = nib.load(tmp_path / "out" / "back.1_uncertainty.nii.gz")
    values = image.get_fdata()
    assert image.shape == small_scan.voxels.shape
    np.testing.assert_allclose(image.affine, small_scan.affine, atol=1e-4)
    assert values.min() >= 0
    assert values.max() <= 1


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("x.nii",),
        ("x.nii", "-o", "out", "--scheme", "colours"),
        ("x.nii", "-o", "out", "--device", "abacus"),
        ("x.nii", "-o", "out", "--model", "nobody"),
        ("x.nii", "-o", "out", "--model", "../tiny"),
        ("x.nii", "-o", "file", *MODEL),
        ("x.nii", "-o", "file/below", *MODEL),
    ],
)
def test_a_bad_call_is_refused_before_anything_is_written(call, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert err
    assert "Traceback" not in err
    assert names_in(tmp_path) == ["file"]


def test_a_bug_keeps_its_traceback(call, scan_file, tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a slip")

    monkeypatch.setattr("napari_spineseg.cli.segment.segment", broken)
    status, _, err = call(scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 1
    assert "Traceback" in err
    assert "a slip" in err
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_said_so(call, scan_file, tmp_path, monkeypatch):
    def greedy(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("napari_spineseg.cli.segment.segment", greedy)
    status, _, err = call(scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 2
    assert err == f"error: {scan_file}: this scan needs more memory than there is.\n"


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_half_done(scan_file, tmp_path, signal_):
    code = """
import signal, sys, time
# A test run that was started in the background has interrupts switched off, and so have its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
import napari_spineseg.cli.segment as command
def slow(*args):
    print("ready", file=sys.__stderr__, flush=True)
    open(sys.argv[1], "w").close()
    time.sleep(60)
command.io.write_segmentation = slow
from napari_spineseg.cli import main
main(["segment", *sys.argv[2:]])
"""
    ready = tmp_path / "ready"
    process = subprocess.Popen(
        [sys.executable, "-c", code, ready, scan_file, "-o", tmp_path / "out", *MODEL],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal_)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped: 0 of 1 scans are done." in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_bad_files_are_refused_without_torch_and_within_seconds(tmp_path):
    """Most of the time of a first call is torch; a file that is no scan need not wait for it."""
    bad = bad_file(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.nii")
    code = (
        "import sys\nfrom napari_spineseg.cli import main\n"
        "try:\n    main(['segment', *sys.argv[1:]])\n"
        "except SystemExit as exit_:\n    print(exit_.code, 'torch' in sys.modules)"
    )
    words = (bad, tmp_path / "pipe.nii", "-o", tmp_path / "out", *MODEL)
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.split() == ["2", "False"]
    assert len(done.stderr.splitlines()) == 2


def test_the_model_is_loaded_once_for_all_scans(call, scan_file, small_scan, tmp_path, monkeypatch):
    from napari_spineseg.core import checkpoint
    from napari_spineseg.models import loaded

    loads = []
    original = checkpoint.load_model
    monkeypatch.setattr(checkpoint, "load_model", lambda path: loads.append(path) or original(path))
    loaded._load.cache_clear()
    call(scan_file, save(small_scan, tmp_path / "y.nii"), "-o", tmp_path / "out", *MODEL)
    assert len(loads) == 1


def test_a_damaged_model_is_one_sentence(call, scan_file, tmp_path, tiny_weights, spineseg_home):
    folder = spineseg_home / "models" / "tiny"
    folder.mkdir(parents=True)
    content = bytearray(tiny_weights.read_bytes())
    content[-1] ^= 1
    (folder / "1.safetensors").write_bytes(content)
    (folder / "1.json").write_bytes(tiny_weights.with_suffix(".json").read_bytes())
    status, _, err = call(scan_file, "-o", tmp_path / "out", *MODEL)
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "1.safetensors" in err
    assert not (tmp_path / "out").exists()


def test_what_geometry_tells_is_said_once_and_before_the_network_runs(
    call, scan_file, tmp_path, monkeypatch, capfd
):
    from napari_spineseg import segment as job

    axial = Scan(np.random.default_rng(0).random((60, 60, 8), np.float32), np.diag([1.0, 1.0, 4.0, 1.0]))
    path, said = save(axial, tmp_path / "axial.nii"), []
    look = job._look
    monkeypatch.setattr(job, "_look", lambda *rest: said.append(capfd.readouterr().err) or look(*rest))
    status, _, err = call(path, "-o", tmp_path / "out", *MODEL)
    (record,) = [json.loads(file.read_text()) for file in (tmp_path / "out").glob("*.json")]
    (sentence,) = [w for w in record["warnings"] if "axial slices 4.0 mm apart" in w]
    assert status == 0 and said[0].splitlines() == [f"warning: {path}: {sentence}"]
    assert sentence not in err
    _, _, err = call(path, scan_file, "-o", tmp_path / "two", *MODEL)
    assert (said[1] + said[2] + err).count(sentence) == 1
