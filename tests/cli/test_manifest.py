"""Lists, patterns and names of scans."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spineseg.cli.manifest import Entry, entries_of, read_list
from napari_spineseg.cli.run import Reading
from napari_spineseg.errors import SettingsError


@pytest.fixture
def write(tmp_path):
    def put(name: str, text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return put


def test_a_table_says_which_volume_and_keeps_other_columns(write, tmp_path):
    path = write("l.csv", 'scan, name, volume, series, group\na.nii, one, 2, , "x, y"\nsub/b, , , T2, \n')
    assert read_list(path) == [
        Entry(tmp_path / "a.nii", "one", Reading(volume=2), {"group": "x, y"}),
        Entry(tmp_path / "sub/b", None, Reading(series="T2"), {"group": ""}),
    ]


def test_a_table_of_a_spreadsheet_is_read(write, tmp_path):
    path = write("l.tsv", "group\tscan\r\nx\tä b.nii\r\n\t\r\n", encoding="utf-8-sig")
    assert read_list(path) == [Entry(tmp_path / "ä b.nii", columns={"group": "x"})]


def test_a_table_may_have_semicolons(write, tmp_path):
    path = write("l.csv", 'scan;name;group\na, b.nii;one;"x;y"\n')
    assert read_list(path) == [Entry(tmp_path / "a, b.nii", "one", columns={"group": "x;y"})]


def test_a_plain_list_has_comments_and_absolute_paths(write, tmp_path):
    path = write("l.txt", "# scans\n\na.nii\n  /there/b.nii  \n")
    assert [entry.scan for entry in read_list(path)] == [tmp_path / "a.nii", Path("/there/b.nii")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("l.csv", "path,group\na,b\n", "no column `scan`; its columns are path, group"),
        ("l.csv", "", "no column `scan`; its columns are none"),
        ("l.csv", "scan\n\n", "names no scan"),
        ("l.txt", "# nothing\n", "names no scan"),
        ("l.csv", "scan,volume\na,b\na,-1\n", r"line 2: volume 'b' is no number"),
        ("l.csv", "scan,name\na,../b\n", r"line 2: '../b' cannot be the name"),
        ("l.csv", "scan,name\na,.b\n", r"'.b' cannot be the name"),
    ],
)
def test_a_list_that_says_nothing_useful_is_refused(write, name, text, words):
    with pytest.raises(SettingsError, match=words):
        read_list(write(name, text))


def test_a_list_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes(b"\xff\xfe\x00scan")
    with pytest.raises(SettingsError, match="cannot be read as a list"):
        read_list(path)


def test_patterns_reach_into_folders_and_name_each_scan_once(tmp_path, monkeypatch):
    for name in ("a/1.nii", "a/b/2.nii", "a/b/3.mha", "[x].nii"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert [e.scan for e in entries_of(["a/**/*.nii", "a/1.nii"])] == [Path("a/1.nii"), Path("a/b/2.nii")]
    # What is there is a scan, whatever signs its name has; what is not is missed when it is read.
    assert [e.scan for e in entries_of(["[x].nii", "gone.nii"])] == [Path("[x].nii"), Path("gone.nii")]
    with pytest.raises(SettingsError, match=r"Nothing fits the pattern a/\*\.nrrd"):
        entries_of(["a/*.nrrd"])
