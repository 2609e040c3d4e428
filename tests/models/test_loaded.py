"""Networks that stay in memory."""

import json

import pytest

from napari_spineseg.errors import ModelError
from napari_spineseg.models import get_model
from napari_spineseg.models.loaded import loaded_model


def test_a_model_that_was_replaced_is_read_again(spineseg_home, tiny_weights):
    folder = spineseg_home / "models" / "tiny"
    folder.mkdir(parents=True)
    for file in (tiny_weights, tiny_weights.with_suffix(".json")):
        (folder / file.name).write_bytes(file.read_bytes())
    first = loaded_model(get_model("tiny"))
    assert loaded_model(get_model("tiny")) is first
    card = json.loads((folder / "1.json").read_text())
    (folder / "1.json").write_text(json.dumps(card | {"sha256": "0" * 64}))
    with pytest.raises(ModelError):
        loaded_model(get_model("tiny"))
