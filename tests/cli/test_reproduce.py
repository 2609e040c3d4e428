"""`spineseg reproduce` as its user meets it."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest

from napari_spineseg.learning.ahmed2024 import reproduce as work

FIGURES = dict(
    iou=0.9, dice=0.95, asd=0.5, assd=0.5, nsd=0.98, precision=0.96, recall=0.94, f1=0.95, hd95=1.0
)


@pytest.fixture
def call(spineseg):
    return partial(spineseg, "reproduce")


@pytest.fixture
def quick(monkeypatch):
    """Training and scoring replaced by their result; the settings that arrive are kept."""
    seen = []

    def one(settings, slices, parts, name, place, control):
        seen.append(settings)
        return {
            "protocol": settings.protocol,
            "network": name,
            "slices": {"train": 9, "choose": 1, "test": 1},
            "patients": {"train": 3, "choose": 1, "test": 1},
            "test_with_neighbour_in_training": 1,
            "training": {"steps": 1, "epochs": 1, "seconds": 1, "chosen_epoch": 1, "chosen_mean_iou": 0.5},
            "settings": settings.model_dump(mode="json"),
            "published_grid": {"disc": FIGURES},
            "own_grid": {"disc": FIGURES},
            "stacked": {"disc": {"asd_px": 0.1, "nsd": 0.999}},
        }

    monkeypatch.setattr(work, "_one", one)
    return seen


def write_release(folder):
    import numpy as np
    from PIL import Image

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    mask = np.zeros((32, 32), np.uint8)
    mask[4:12, 4:12], mask[14:18, 4:12], mask[2:30, 18:24] = 76, 29, 150
    for n in range(12):
        for name, picture in (("images", mask), ("masks", mask)):
            Image.fromarray(picture).save(folder / name / f"{n // 3 + 1}_t2_SPACE_slice{n}.png")
    return folder


def test_json_is_one_object_a_result(call, quick, tmp_path):
    data = write_release(tmp_path / "data")
    code, out, err = call("ahmed2024", "--data", data, "-o", tmp_path / "out", "--epochs", 7, "--json")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["network"] for line in lines] == ["published", "default"]
    assert {s.epochs for s in quick} == {7}
    assert (tmp_path / "out" / "table.md").read_text().count("0.9500") >= 4


def test_the_table_is_printed(call, quick, tmp_path):
    data = write_release(tmp_path / "data")
    words = ("--protocol", "patients", "--folds", 2, "--network", "published")
    code, out, _ = call("ahmed2024", "--data", data, "-o", tmp_path / "out", *words)
    assert code == 0
    assert "### Protocol patients" in out and "0.9500 ± 0.0000" in out
    assert [s.protocol for s in quick] == ["patients"] * 2


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--data", "nowhere"], "nowhere is not a folder"),
        (["--data", "."], "holds no labelled scans"),
        (["--data", "release", "--sequence", "t1"], "no t1 scans"),
        (["--data", "release", "--learning-rate", "0"], "--learning-rate"),
        (["--data", "release", "--folds", "20"], "too few"),
    ],
)
def test_a_bad_call_is_one_line(call, tmp_path, monkeypatch, words, reason):
    monkeypatch.chdir(tmp_path)
    write_release(tmp_path / "release")
    (tmp_path / "empty").mkdir()
    code, out, err = call(
        "ahmed2024", *words[:1], tmp_path / "empty" if words[1] == "." else words[1], *words[2:]
    )
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1 and reason in err


def test_a_scheduler_stops_a_measurement_as_ctrl_c_does(call, tmp_path, monkeypatch):
    from napari_spineseg.learning.chen2024 import reproduce as tumours

    monkeypatch.setattr(tumours, "chen2024", lambda *words: os.kill(os.getpid(), signal.SIGTERM))
    assert call("chen2024", "--data", tmp_path) == (130, "", "Stopped; there are no figures.\n")


def test_where_the_table_goes_is_looked_at_first(call, tmp_path):
    """All data were read before the folder was found to be none."""
    (tmp_path / "file").write_text("mine")
    status, _, err = call("ahmed2024", "--data", tmp_path / "nowhere", "-o", tmp_path / "file")
    assert (status, err) == (2, f"error: {tmp_path / 'file'} is not a folder; name one with --output.\n")
    assert call("ahmed2024", "--data", tmp_path / "nowhere", "-o", tmp_path / "out")[0] == 2
    assert not (tmp_path / "out").exists()
