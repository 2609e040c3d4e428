import json
from functools import partial

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
