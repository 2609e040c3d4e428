"""What the tests of the registry share."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_spineseg.core.checkpoint import ModelCard, save_model
from napari_spineseg.core.networks import build_network
from napari_spineseg.models import registry

_ARGUMENTS = {"widths": [2, 4]}


@pytest.fixture
def weights(tmp_path, monkeypatch) -> Path:
    """Weights of a model called `made`, with a card; nothing else is installed, bundled or own."""
    monkeypatch.setenv("SPINESEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "BUNDLED", tmp_path / "bundled")
    card = ModelCard(name="made", network="spine_net", arguments=_ARGUMENTS)
    path = tmp_path / "made.safetensors"
    save_model(build_network("spine_net", _ARGUMENTS), card, path)
    return path
