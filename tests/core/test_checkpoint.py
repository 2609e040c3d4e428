import json
import pickle

import pytest
import torch

from napari_spineseg.core.checkpoint import ModelCard, load_model, read_card, save_model
from napari_spineseg.core.networks import build_network
from napari_spineseg.errors import ModelError

ARGUMENTS = {"in_channels": 3, "classes": 4, "widths": [4, 8]}


@pytest.fixture
def weights(tmp_path):
    """A saved network, freshly written."""
    torch.manual_seed(1)
    card = ModelCard(name="m", network="spine_net", arguments=ARGUMENTS, notes="kept")
    save_model(build_network("spine_net", ARGUMENTS), card, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_what_was_saved_is_loaded(weights):
    loaded = load_model(weights)
    torch.manual_seed(1)
    original = build_network("spine_net", ARGUMENTS)
    assert not loaded.network.training
    for name, value in original.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert loaded.card.model_dump()["notes"] == "kept"
    assert loaded.card.sha256
    assert loaded.card.created


def test_one_changed_bit_is_noticed(weights):
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.safetensors differs from what its card describes"):
        load_model(weights)


def test_weights_of_another_network_do_not_fit(weights):
    card = json.loads(weights.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(card | {"arguments": ARGUMENTS | {"widths": [4, 16]}}))
    with pytest.raises(ModelError, match="does not fit its network spine_net"):
        load_model(weights)


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "nonsense"},
        {"network": "os.system"},
        {"arguments": {"colour": "red"}},
        {"temperature": 0},
        {"input": {"spacing_mm": -1}},
    ],
)
def test_a_card_that_makes_no_sense_is_refused(weights, changes):
    card = json.loads(weights.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(card | changes))
    with pytest.raises(ModelError):
        load_model(weights)


def test_a_missing_file_is_named(weights):
    weights.with_suffix(".json").rename(weights.with_suffix(".away"))
    with pytest.raises(ModelError, match=r"its card m\.json is missing"):
        read_card(weights)
    weights.with_suffix(".away").rename(weights.with_suffix(".json"))
    weights.unlink()
    with pytest.raises(ModelError, match=r"m\.safetensors cannot be read"):
        load_model(weights)


def test_a_pickle_is_never_opened(weights, tmp_path):
    """A file that would run code if it were unpickled is refused, and runs nothing."""

    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    weights.write_bytes(pickle.dumps(Trap()))
    card = json.loads(weights.with_suffix(".json").read_text())
    weights.with_suffix(".json").write_text(json.dumps(card | {"sha256": ""}))
    with pytest.raises(ModelError):
        load_model(weights)
    assert not (tmp_path / "sprung").exists()


def test_others_may_read_a_saved_model(weights):
    plain = weights.parent / "plain"
    plain.write_text("")
    assert weights.stat().st_mode == plain.stat().st_mode
