"""Streams that are closed, full, or that nobody reads: the files are made, and the status is honest."""

import subprocess
import sys

import pytest

from napari_spineseg import io

HEAD = [sys.executable, "-c", "from napari_spineseg.cli import main; main()"]


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which "$@" is the call of `spineseg`."""
    call = ["bash", "-c", line, "bash", *HEAD, *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, timeout=60)


def test_scans_are_done_with_every_stream_closed(small_scan, tmp_path):
    io.write_scan(small_scan, tmp_path / "x.nii.gz")
    words = ("preprocess", tmp_path / "x.nii.gz", "-o", tmp_path / "out", "--step", "reorient")
    done = shell('"$@" <&- >&- 2>&-', *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "x_prep.json").exists()


def test_scans_are_done_when_the_reader_has_left(small_scan, tmp_path):
    scans = [tmp_path / f"{name}.nii.gz" for name in "abc"]
    for scan in scans:
        io.write_scan(small_scan, scan)
    scans[1].write_bytes(b"no scan")
    words = ("preprocess", *scans, "-o", tmp_path / "out", "--step", "reorient", "--json")
    done = shell('"$@" | true; echo ${PIPESTATUS[0]}', *words)
    assert done.stdout == "2\n"
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "out" / "c_prep.json").exists()


@pytest.mark.parametrize("words", [("--help",), ("models", "list")])
def test_help_and_lists_need_no_reader(words):
    done = shell('"$@" | true; echo ${PIPESTATUS[0]}', *words)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
@pytest.mark.parametrize("words", [("--help",), ("models", "list")])
def test_a_full_disk_behind_stdout_is_one_sentence(words):
    done = shell('"$@" >/dev/full', *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
