"""`spineseg batch`: many scans, one bad among them, stopped and taken up again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from distributed import LocalCluster
from segment_kit import MODEL, save

from napari_spineseg import cluster
from napari_spineseg.cli import batch
from napari_spineseg.cli.manifest import Entry
from napari_spineseg.cli.run import BAD, DONE
from napari_spineseg.errors import SettingsError


@pytest.fixture
def scans(tmp_path, small_scan, tiny_home, monkeypatch) -> Path:
    """Two patients with a scan of one name each, and a damaged one between them."""
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))
    folder = tmp_path / "study"
    for patient in ("sub-01", "sub-03"):
        save(small_scan, folder / patient / "T2.nii.gz")
    whole = (folder / "sub-01" / "T2.nii.gz").read_bytes()
    (folder / "sub-02").mkdir()
    (folder / "sub-02" / "T2.nii.gz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture
def at_home(monkeypatch):
    """Work in this process: what is tested is what is done with the results."""
    done: list[str] = []

    def here(work, tasks, at_once=1):
        for task in tasks:
            done.append(task.job.stem)
            yield task, work(task)

    monkeypatch.setattr(cluster, "here", here)
    return done


@pytest.fixture
def call(spineseg, tmp_path):
    """Run the command with the tiny model into `out`."""
    return lambda *words: spineseg("batch", *words, "-o", tmp_path / "out", *MODEL)


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "batch.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_bad_scan_stops_no_other_and_the_table_tells_of_all(scans, tmp_path, call):
    status, out, err = call(scans / "*" / "T2.nii.gz", "--json")
    assert status == BAD
    assert [row["status"] for row in rows(tmp_path / "out")] == ["done", "failed", "done"]
    assert [row["name"] for row in rows(tmp_path / "out")] == ["sub-01_T2", "sub-02_T2", "sub-03_T2"]
    assert rows(tmp_path / "out")[1]["error"] in err
    assert err.count("error: ") == 1
    labels = nib.load(tmp_path / "out" / "sub-03_T2_seg.nii.gz")
    assert labels.shape == nib.load(scans / "sub-03" / "T2.nii.gz").shape
    *records, last = [json.loads(line) for line in out.splitlines()]
    assert sorted(record["status"] for record in records) == ["done", "done", "failed"]
    assert last == {"summary": {"done": 2, "failed": 1}, "table": str(tmp_path / "out" / "batch.csv")}
    assert not list((tmp_path / "out").glob("*sub-02*"))


def test_the_same_call_goes_on_where_it_was(scans, tmp_path, call, at_home):
    pattern = str(scans / "*" / "T2.nii.gz")
    call(pattern)
    first = (tmp_path / "out" / "sub-01_T2_seg.nii.gz").stat().st_mtime_ns
    (scans / "sub-02" / "T2.nii.gz").write_bytes((scans / "sub-01" / "T2.nii.gz").read_bytes())
    at_home.clear()
    status, out, _err = call(pattern)
    assert status == DONE
    assert at_home == ["sub-02_T2"], "only what had failed"
    assert [row["status"] for row in rows(tmp_path / "out")] == ["skipped", "done", "skipped"]
    assert rows(tmp_path / "out")[0]["model"] == "tiny@1"
    assert "3 scans: 1 done, 2 done before" in out
    assert (tmp_path / "out" / "sub-01_T2_seg.nii.gz").stat().st_mtime_ns == first


def test_another_model_or_setting_is_refused_and_the_table_stays(scans, tmp_path, call, spineseg, at_home):
    pattern = str(scans / "sub-01" / "*.gz")
    call(pattern)
    before = (tmp_path / "out" / "batch.csv").read_bytes()
    status, _, err = call(pattern, "--scheme", "structures")
    assert status == BAD
    assert "another setting of scheme" in err
    record = tmp_path / "out" / "T2_seg.json"
    record.write_text(record.read_text().replace('"sha256": "', '"sha256": "0', 1))
    status, _out, err = call(pattern)
    assert status == BAD
    assert "another model, tiny@1" in err
    assert (tmp_path / "out" / "batch.csv").read_bytes() == before
    assert call(pattern, "--overwrite")[0] == DONE
    assert rows(tmp_path / "out")[0]["status"] == "done"


def test_a_scan_that_changed_since_is_not_passed_over(scans, tmp_path, call, at_home, small_scan):
    scan = scans / "sub-01" / "T2.nii.gz"
    call(scan)
    save(small_scan.with_voxels(small_scan.voxels + 1), scan)
    os.utime(scan, (time.time() + 60, time.time() + 60))
    status, _out, err = call(scan)
    assert status == BAD
    assert "before it was changed" in err


def test_labels_that_were_changed_by_hand_are_kept_and_told_of(scans, tmp_path, call, at_home):
    scan = scans / "sub-01" / "T2.nii.gz"
    call(scan)
    labels, later = tmp_path / "out" / "T2_seg.nii.gz", time.time() + 60
    kept = nib.load(labels)
    turned = nib.Nifti1Image(np.asarray(kept.dataobj)[::-1], kept.affine, kept.header)
    nib.save(turned, labels)
    os.utime(labels, (later, later))
    written = labels.read_bytes()
    status, out, err = call(scan)
    assert status == DONE and labels.read_bytes() == written
    assert "These labels were changed since they were segmented (by tiny 1" in out + err
    assert "changed since" in rows(tmp_path / "out")[0]["warnings"]
    os.utime(labels, (0, 0))
    assert "changed since" not in "".join(call(scan)[1:])


def test_a_study_that_was_moved_is_known_again(scans, tmp_path, call, at_home):
    call(scans / "sub-01" / "T2.nii.gz")
    moved = tmp_path / "moved" / "T2.nii.gz"
    moved.parent.mkdir()
    moved.write_bytes((scans / "sub-01" / "T2.nii.gz").read_bytes())
    at_home.clear()
    assert call(moved)[0] == DONE
    assert at_home == []


def test_a_result_without_its_record_is_left_alone(scans, tmp_path, call, at_home):
    call(scans / "sub-01" / "T2.nii.gz")
    (tmp_path / "out" / "T2_seg.json").unlink()
    status, _out, err = call(scans / "sub-01" / "T2.nii.gz")
    assert status == BAD
    assert "not the record of how it was made" in err


def test_results_in_the_folder_of_scans_are_no_scans(scans, spineseg, at_home):
    words = ("batch", str(scans / "sub-01" / "*.nii.gz"), "-o", scans / "sub-01", *MODEL)
    assert spineseg(*words)[0] == DONE
    at_home.clear()
    assert spineseg(*words)[0] == DONE
    assert [row["name"] for row in rows(scans / "sub-01")] == ["T2"]


def test_columns_of_a_list_are_carried_into_the_table(scans, tmp_path, call, at_home):
    listed = tmp_path / "study.csv"
    listed.write_text("scan,name,age\nstudy/sub-01/T2.nii.gz,first,61\nstudy/sub-03/T2.nii.gz,,\n")
    assert call(listed)[0] == DONE
    assert [(row["name"], row["age"]) for row in rows(tmp_path / "out")] == [("first", "61"), ("T2", "")]
    listed.write_text("scan,status\nstudy/sub-01/T2.nii.gz,new\n")
    status, _out, err = call(listed)
    assert status == BAD
    assert "column 'status'" in err


def test_a_second_batch_is_kept_out_of_the_folder(scans, tmp_path, call, at_home):
    (tmp_path / "out").mkdir()
    with batch.alone_in(tmp_path / "out"):
        status, _out, err = call(scans / "sub-01" / "T2.nii.gz")
    assert status == BAD
    assert err.startswith("error: Another batch is at work in ")
    assert not (tmp_path / "out" / "batch.csv").exists()


def test_a_lost_scan_is_told_of(scans, tmp_path, call, monkeypatch):
    monkeypatch.setattr(
        cluster,
        "here",
        lambda work, tasks, at_once: ((task, cluster.LostError("its process ended.")) for task in tasks),
    )
    status, _out, _err = call(scans / "sub-01" / "T2.nii.gz")
    assert status == BAD
    assert rows(tmp_path / "out")[0]["error"] == "its process ended."


@pytest.mark.parametrize(
    ("kept", "changed", "words"),
    [
        ("model", {"sha256": "0"}, "another model by this name"),
        ("versions", {"spineseg": "0.0.1"}, "has SpineSeg 0.0.1"),
    ],
)
def test_a_worker_that_is_not_like_this_one_is_told_of(
    scans, tmp_path, call, monkeypatch, kept, changed, words
):
    def elsewhere(work, tasks, at_once):
        for task in tasks:
            outcome = work(task)
            yield task, replace(outcome, record={**outcome.record, kept: changed})

    monkeypatch.setattr(cluster, "here", elsewhere)
    assert call(scans / "sub-01" / "T2.nii.gz")[0] == BAD
    assert words in rows(tmp_path / "out")[0]["error"]


def test_a_result_that_is_not_seen_from_here_is_told_of(scans, tmp_path, call, monkeypatch):
    def elsewhere(work, tasks, at_once):
        for task in tasks:
            outcome = work(task)
            task.job.record.unlink()
            yield task, outcome

    monkeypatch.setattr(cluster, "here", elsewhere)
    assert call(scans / "sub-01" / "T2.nii.gz")[0] == BAD
    assert "not seen from here" in rows(tmp_path / "out")[0]["error"]


def test_names_tell_scans_apart(tmp_path):
    def names(*paths: str, **named: str) -> list[str]:
        return batch.names_of([Entry(tmp_path / path, named.get(path)) for path in paths])

    assert names("a.nii", "b.nii.gz") == ["a", "b"]
    assert names("s1/T2.nii", "s2/T2.nii", "s2/T1.nii") == ["s1_T2", "s2_T2", "T1"]
    assert names("s1/x/T2.nii", "s1/y/t2.nii") == ["x_T2", "y_t2"]
    assert names("T2.nii", "T2.mha") == ["T2", "T2_2"]
    with pytest.raises(SettingsError, match="ask for the name 'one'"):
        batch.names_of([Entry(tmp_path / "a", "one"), Entry(tmp_path / "b", "one")])


def test_dask_workers_do_it_too(scans, tmp_path, call):
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        status, _out, _err = call(scans / "*" / "T2.nii.gz", "--scheduler", local.scheduler_address)
    assert status == BAD
    assert [row["status"] for row in rows(tmp_path / "out")] == ["done", "failed", "done"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_taken_up_again(scans, tmp_path, how, call, at_home):
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from napari_spineseg.cli import main; main()"]
    words = ["batch", str(scans / "sub-0[13]" / "T2.nii.gz"), "-o", str(out), *MODEL]
    process = subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "sub-01_T2_seg.json").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(how)
    err = process.communicate(timeout=60)[1]
    assert process.returncode in (130, DONE), err
    assert "Traceback" not in err
    assert call(words[1])[0] == DONE
    assert {row["status"] for row in rows(out)} <= {"done", "skipped"}
    assert not list(out.glob(".spineseg-*")), "nothing half-written is left"
