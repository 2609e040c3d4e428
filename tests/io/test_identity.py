import hashlib
import os
from pathlib import Path

import pytest

from napari_spineseg.errors import ScanError
from napari_spineseg.io import checksums_of, sha256_of, stem_of
from napari_spineseg.io.guard import MAX_FILE_BYTES


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.nii.gz", "a"), ("a.b.nii.gz", "a.b"), ("a.NII.GZ", "a"), ("a.mha", "a"),
        ("1.2.840.5", "1.2.840.5"),
        ("IM0001", "IM0001"), ("a.nii.dcm", "a.nii"), (".nii.gz", ".nii.gz"), ("-x.tif", "-x"),
        ("a.v2", "a.v2"),
    ],
)  # fmt: skip
def test_stem(name, stem):
    assert stem_of(Path("folder") / name) == stem


def test_a_name_that_no_file_can_have_has_a_stem():
    assert stem_of(Path("a" * 300 + ".nii.gz")) == "a" * 300


def test_stem_of_a_folder(tmp_path, monkeypatch):
    folder = tmp_path / "exam.nii.gz"
    folder.mkdir()
    assert stem_of(folder) == "exam.nii.gz"
    monkeypatch.chdir(folder)
    assert stem_of(Path(".")) == "exam.nii.gz"
    assert stem_of(Path("..")) == tmp_path.name


def test_sha256(tmp_path):
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"1").hexdigest()
    before = sha256_of(tmp_path)
    assert before == hashlib.sha256(b"a\x001b\x002").hexdigest()
    os.mkfifo(tmp_path / "pipe")
    assert sha256_of(tmp_path) == before
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "video.avi").open("wb") as stray:
        stray.truncate(MAX_FILE_BYTES + 1)  # no byte of it is on the disk
    named = hashlib.sha256(b"a\x001b\x002video.avi\x00").hexdigest()
    assert sha256_of(tmp_path) == named
    with pytest.raises(ScanError, match="pipe: is a pipe"):
        sha256_of(tmp_path / "pipe")


def test_results_in_its_own_folder_leave_a_dicom_scan_the_same(tmp_path):
    (tmp_path / "IM1").write_bytes(bytes(128) + b"DICM" + bytes(9))
    before = sha256_of(tmp_path)
    (tmp_path / "seg").mkdir()
    for name in ("exam_seg.nii.gz", "seg/exam_seg.json", "batch.csv"):
        (tmp_path / name).write_bytes(b"of the scan, not in it")
    assert sha256_of(tmp_path) == before
    (tmp_path / "IM2").write_bytes(bytes(128) + b"DICM" + bytes(9))
    assert sha256_of(tmp_path) != before


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.mhd", b"ObjectType = Image\nElementDataFile = a.zraw\n"),
        ("a.nhdr", b"NRRD0004\ntype: short\ndata file: a.zraw\n\n"),
    ],
)
def test_a_header_is_known_by_itself_and_by_its_data_file(tmp_path, name, header):
    (tmp_path / name).write_bytes(header)
    (tmp_path / "a.zraw").write_bytes(b"voxels")
    assert checksums_of(tmp_path / name) == {
        "sha256": hashlib.sha256(header).hexdigest(),
        "data_sha256": hashlib.sha256(b"voxels").hexdigest(),
    }
    (tmp_path / "a.zraw").unlink()
    with pytest.raises(ScanError, match=r"needs its data file a\.zraw"):
        checksums_of(tmp_path / name)


def test_a_file_that_holds_its_voxels_is_known_by_its_bytes(tmp_path):
    content = b"ObjectType = Image\nElementDataFile = LOCAL\n" + bytes(9)
    (tmp_path / "a.mha").write_bytes(content)
    assert checksums_of(tmp_path / "a.mha") == {"sha256": hashlib.sha256(content).hexdigest()}
    assert checksums_of(tmp_path) == {"sha256": sha256_of(tmp_path)}
