"""Where a segmentation may be saved."""

from __future__ import annotations

import pytest

from napari_spineseg.errors import OutputError
from napari_spineseg.widgets.segment.saving import check_path, suggested_path, would_replace


def test_suggests_a_name_beside_the_scan(tmp_path):
    assert suggested_path("x", str(tmp_path / "a.b.nii.gz")) == tmp_path / "a.b_seg.nii.gz"
    assert suggested_path("phantom", None).name == "phantom_seg.nii.gz"
    assert suggested_path("x", "scans/a.nii").is_absolute()


def test_accepts_a_new_name(tmp_path):
    assert check_path(f"  {tmp_path}/a_seg.MHA ", None) == tmp_path / "a_seg.MHA"


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "Name a file"), ("a.png", "has to end in"), ("no/where/a.nii", "There is no folder")],
)
def test_refuses_with_a_reason(tmp_path, name, words):
    with pytest.raises(OutputError, match=words):
        check_path(f"{tmp_path}/{name}" if name else "", None)


def test_never_replaces_the_scan(tmp_path):
    scan = tmp_path / "scan.nii.gz"
    scan.write_bytes(b"x")
    (tmp_path / "link.nii.gz").symlink_to(scan)
    for path in (scan, tmp_path / "link.nii.gz"):
        with pytest.raises(OutputError, match="the scan itself"):
            check_path(str(path), str(scan))


def test_names_all_that_would_go(tmp_path):
    for name in ("a.mhd", "a.zraw"):
        (tmp_path / name).touch()
    assert would_replace(tmp_path / "a.mhd") == [tmp_path / "a.mhd", tmp_path / "a.zraw"]
    assert would_replace(tmp_path / "b.mhd") == []
