"""`spineseg demo` with a display: a window on the sample that segments it by itself."""

import pytest

from napari_spineseg import io
from napari_spineseg.cli import demo


@pytest.fixture
def sample(tmp_path, small_scan):
    path = tmp_path / "lumbar_t2.nii.gz"
    io.write_scan(small_scan, path)
    return path


def test_the_demo_opens_the_sample_and_segments_it(viewer, qtbot, monkeypatch, sample, fake):
    monkeypatch.setattr("napari.Viewer", lambda **_: viewer)
    entered = []
    monkeypatch.setattr("napari.run", lambda: entered.append(True))
    demo.open_window(sample)
    assert entered
    assert viewer.layers[0].metadata["spineseg"]["kind"] == "scan"
    assert viewer.layers[0].name == "lumbar_t2"
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=10_000)
    assert viewer.layers[1].metadata["spineseg"]["kind"] == "segmentation"


def test_without_a_toolkit_the_way_out_is_named(monkeypatch, sample):
    def missing(**_):
        raise ImportError("No Qt bindings could be found")

    monkeypatch.setattr("napari.Viewer", missing)
    with pytest.raises(demo.SpineSegError, match=r"install spineseg\[all\], or add --headless"):
        demo.open_window(sample)
