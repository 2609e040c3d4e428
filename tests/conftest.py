"""What every test relies on: a home of its own, and a model small enough to run in no time."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from napari_spineseg.scan import Scan

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

# Workers of pytest-xdist run side by side: each with PyTorch on every processor, all would take longer.
# It is asked for here because PyTorch looks once, when it is first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run, so that a change is judged by itself; set the variable to look for new ones.
settings.register_profile("same", derandomize=True)
if not os.environ.get("SPINESEG_TEST_EXPLORE"):
    settings.load_profile("same")


def pytest_collection_finish() -> None:
    """Look only at what tests make when garbage is collected, not at PyTorch and napari again and again.

    napari collects with every layer that goes, which took a sixth of the time of tests with a window.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _no_personal_files(tmp_path_factory):
    """Keep a developer's own models and napari settings out of the tests, and the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    os.environ["SPINESEG_HOME"] = str(home / "spineseg")
    os.environ["NAPARI_CONFIG"] = str(home / "napari.yaml")


@pytest.fixture
def spineseg_home(tmp_path, monkeypatch) -> Path:
    """An empty home for one test that writes models or choices to it."""
    monkeypatch.setenv("SPINESEG_HOME", str(tmp_path / "spineseg-home"))
    return tmp_path / "spineseg-home"


@pytest.fixture
def shared_data() -> Path:
    """The real scans beside the repository; a test that needs them is skipped where they are not."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the real scans in ../shared/data, which are not part of the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """Weights of an untrained SpineNet of a few hundred parameters, with a card."""
    import torch

    from napari_spineseg.core.checkpoint import ModelCard, save_model
    from napari_spineseg.core.inputs import InputSpec
    from napari_spineseg.core.networks import build_network

    torch.manual_seed(0)
    arguments = {"in_channels": 3, "classes": 4, "widths": [4, 8]}
    card = ModelCard(
        name="tiny",
        title="Untrained, for tests",
        network="spine_net",
        arguments=arguments,
        input=InputSpec(spacing_mm=2.0, neighbours=1, stride=4),
    )
    weights = tmp_path_factory.mktemp("tiny") / "1.safetensors"
    save_model(build_network("spine_net", arguments), card, weights)
    return weights


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory, tiny_weights) -> Path:
    """A home that holds the tiny model as `tiny@1`."""
    home = tmp_path_factory.mktemp("home-with-tiny")
    folder = home / "models" / "tiny"
    folder.mkdir(parents=True)
    for file in (tiny_weights, tiny_weights.with_suffix(".json")):
        (folder / file.name).write_bytes(file.read_bytes())
    return home


@pytest.fixture
def small_scan() -> Scan:
    """A sagittal scan of noise: 5 slices of 32 x 24, 4 x 2 x 2 mm, in the order a scanner writes them."""
    affine = np.array([[0, 0, 4.0, -10], [2.0, 0, 0, -20], [0, -2.0, 0, 30], [0, 0, 0, 1]])
    voxels = np.random.default_rng(0).integers(0, 1000, (24, 32, 5)).astype(np.int16)
    return Scan(voxels, affine, name="small")
