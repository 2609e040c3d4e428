import json
from functools import partial

import nibabel as nib
import pytest
from PIL import Image

from napari_spineseg import io
from napari_spineseg.cli import demo
from napari_spineseg.segment import SegmentSettings


@pytest.fixture
def sample(tmp_path, small_scan):
    """A sample that is segmented in no time."""
    path = tmp_path / "installed" / "lumbar_t2.nii.gz"
    path.parent.mkdir()
    io.write_scan(small_scan, path)
    return path


@pytest.fixture
def call(spineseg, monkeypatch, tmp_path, tiny_home, sample):
    """Run the demo with the tiny model in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))
    monkeypatch.setattr(demo, "sample_path", lambda: sample)
    monkeypatch.setattr(demo, "SegmentSettings", lambda: SegmentSettings(model="tiny", device="cpu"))
    return partial(spineseg, "demo")


def test_json_says_where_the_files_are(call, tmp_path):
    status, out, _ = call("--headless", "--json", "-o", "there")
    found = json.loads(out)
    assert status == 0
    assert found["segmentation"] == str(tmp_path / "there" / "lumbar_t2_seg.nii.gz")
    assert nib.load(found["segmentation"]).shape == (24, 32, 5)
    assert isinstance(found["warnings"], list)


def test_headless_writes_both_files_and_says_where(call, tmp_path, sample):
    status, out, _ = call("--headless")
    assert status == 0
    labels, picture = (tmp_path / "demo-output" / f"lumbar_t2_{x}" for x in ("seg.nii.gz", "overview.png"))
    assert str(labels) in out
    assert str(picture) in out
    assert nib.load(labels).shape == nib.load(sample).shape
    with Image.open(picture) as image:
        assert image.width > 600


def test_without_a_display_no_window_is_tried(call, monkeypatch, tmp_path):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    status, out, _ = call("-o", "here")
    assert status == 0
    assert "There is no display here" in out
    assert (tmp_path / "here" / "lumbar_t2_overview.png").exists()


def test_with_a_display_a_window_is_opened(call, monkeypatch, sample):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(demo, "open_window", opened.append)
    assert call()[0] == 0
    assert opened == [sample]


def test_labels_that_somebody_corrected_are_kept(call, tmp_path):
    first = tmp_path / "there" / "lumbar_t2_seg.nii.gz"
    assert call("--headless", "-o", "there")[0] == call("--headless", "-o", "there")[0] == 0
    assert [p.name for p in first.parent.glob("*_seg.nii.gz")] == [first.name]
    corrected = io.read_segmentation(first)
    corrected.labels[0, 0, 0] = 3
    io.write_segmentation(corrected, first)
    kept = first.read_bytes()
    status, out, _ = call("--headless", "-o", "there")
    assert status == 0
    assert "lumbar_t2_2_seg.nii.gz" in out
    assert (first.parent / "lumbar_t2_2_overview.png").exists()
    assert first.read_bytes() == kept
