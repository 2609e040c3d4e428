import json
import os
from functools import partial

import numpy as np
import pytest


@pytest.fixture
def call(spineseg, tiny_home, monkeypatch):
    monkeypatch.setenv("SPINESEG_HOME", str(tiny_home))
    return partial(spineseg, "models")


def test_list_names_every_model(call):
    status, out, _ = call("list")
    assert status == 0
    assert any("tiny@1" in line and "Untrained, for tests" in line for line in out.splitlines())


def test_list_as_json(call):
    _, out, _ = call("list", "--json")
    (tiny,) = [m for m in map(json.loads, out.splitlines()) if m["name"] == "tiny"]
    assert tiny["version"] == "1"
    assert tiny["structures"] == ["vertebra", "disc", "canal"]
    assert tiny["in_use"] is False


def test_show_prints_the_card(call, tiny_weights):
    status, out, _ = call("show", "tiny@1")
    card = json.loads(tiny_weights.with_suffix(".json").read_text())
    assert status == 0
    assert f"sha256: {card['sha256']}" in out
    _, out, _ = call("show", "tiny", "--json")
    assert json.loads(out)["card"] == card


def test_an_unknown_model_is_a_bad_call(call):
    status, out, err = call("show", "nobody")
    assert (status, out) == (2, "")
    assert err.startswith("error: There is no model called 'nobody'. Known models:")
    assert len(err.splitlines()) == 1


@pytest.fixture
def own(spineseg, spineseg_home, tiny_weights):
    """The command with a home of its own, where `tiny` has two versions and the first was chosen."""
    from napari_spineseg.models.versions import add_version

    add_version("tiny", tiny_weights)
    add_version("tiny", tiny_weights)
    call = partial(spineseg, "models")
    call("use", "tiny@1")
    call("use", "lumbar@1")
    return call


def test_a_name_means_another_version_once_the_chosen_one_is_removed(own):
    assert "tiny@1: " in own("show", "tiny")[1]
    assert own("remove", "tiny@1")[0] == 0
    assert "tiny@2: " in own("show", "tiny")[1]


@pytest.mark.parametrize("name", ["tiny", "tiny@"])
def test_what_to_remove_must_be_plain(own, name):
    status, out, err = own("remove", name)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert {"tiny@1", "tiny@2"} <= {line.split()[0] for line in own("list")[1].splitlines()}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_no_model(own, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nothing"):
        status, _, err = own("import", path)
        assert (status, len(err.splitlines())) == (2, 1)
        assert str(path) in err


def test_results_of_a_comparison_need_a_folder(own, tmp_path):
    (tmp_path / "file").write_text("mine")
    status, _, err = own("compare", "tiny@1", "tiny@2", "x.nii", "-o", tmp_path / "file")
    assert (status, err) == (2, f"error: {tmp_path / 'file'} is not a folder; name one with --output.\n")


def test_a_comparison_of_what_is_no_scan_leaves_no_folder(own, tmp_path):
    (tmp_path / "x.nii").write_text("no scan")
    status, _, err = own("compare", "tiny@1", "tiny@2", tmp_path / "x.nii", "-o", tmp_path / "new" / "out")
    assert (status, len(err.splitlines())) == (2, 1) and "x.nii" in err
    assert not (tmp_path / "new").exists()


def test_a_comparison_takes_one_volume_of_several(own, tmp_path):
    import nibabel as nib

    scan = tmp_path / "x.nii"
    nib.save(nib.Nifti1Image(np.zeros((4, 24, 24, 2), np.int16), np.eye(4)), scan)
    status, _, err = own("compare", "tiny@1", "tiny@2", scan)
    assert status == 2 and "--volume (0 to 1)" in err
    assert own("compare", "tiny@1", "tiny@2", scan, "--volume", "1")[0] == 0


def test_a_comparison_warns_and_replaces_nothing(own, tmp_path, monkeypatch):
    from napari_spineseg import io
    from napari_spineseg.learning.verdict import compare
    from napari_spineseg.models import get_model
    from napari_spineseg.scan import Scan, Segmentation

    scan = tmp_path / "x.nii.gz"
    io.write_scan(Scan(np.zeros((2, 4, 4), np.int16), np.eye(4)), scan)
    labels = Segmentation(np.ones((2, 4, 4), np.uint16), np.eye(4), warnings=("Look at L5.",))
    models = (get_model("tiny@1"), get_model("tiny@2"))
    found = compare.Comparison(models, (labels, labels), labels, {}, {})
    monkeypatch.setattr(compare, "compare_models", lambda *words: found)
    words = ("compare", "tiny@1", "tiny@2", scan, "-o", tmp_path / "out")
    status, _, err = own(*words)
    assert (status, err) == (0, f"warning: {scan}: Look at L5.\n")
    (tmp_path / "out" / "x_second.nii.gz").write_text("mine")
    (tmp_path / "out" / "x_first.nii.gz").unlink()
    status, _, err = own(*words)
    assert status == 2 and "x_second.nii.gz is there already" in err and "--overwrite" in err
    assert (tmp_path / "out" / "x_second.nii.gz").read_text() == "mine"
    assert not (tmp_path / "out" / "x_first.nii.gz").exists()
    assert own(*words, "--overwrite")[0] == 0
