"""`spineseg pretrain` as its user meets it."""

import os
import signal

import pytest

from napari_spineseg.learning import pretrain as work


def test_a_scheduler_stops_it_with_a_word(spineseg, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "pretrain", lambda *words: os.kill(os.getpid(), signal.SIGTERM))
    words = ("pretrain", "lumbar", "--data", tmp_path, "-o", tmp_path / "out")
    assert spineseg(*words) == (130, "", "Stopped; training had not begun.\n")
    (tmp_path / "out").mkdir()
    status, out, err = spineseg(*words)
    assert (status, out) == (130, "")
    assert err == f"Stopped; the state is in {tmp_path / 'out'}, and the same call goes on from there.\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- 1", "Input should be a valid dictionary"),
        ("train: {steps: -1}", "train.steps: Input should be greater than"),
        ("name: ../../x", "name: String should match"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_one_sentence(spineseg, tmp_path, text, why):
    """A name that leads elsewhere would put the model outside the folder for results."""
    (tmp_path / "r.yaml").write_text(text)
    status, _, err = spineseg("pretrain", tmp_path / "r.yaml", "--data", tmp_path, "-o", tmp_path / "out")
    assert status == 2 and err.startswith(f"error: {tmp_path / 'r.yaml'} is not a recipe: {why}")
    assert "validation error" not in err and "http" not in err and err.count("\n") == 1
