"""Toy spines, a store of them, and a network small enough to learn them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from style_kit import spine_at

from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.scan import Scan, Segmentation

SPACING = (4.0, 2.0, 2.0)
SHAPE = (9, 80, 56)
# What the toy parent knows, and another contrast that it has never seen.
_KNOWN = {0: 60, 1: 140, 2: 20, 3: 230}
_NEW = {0: 120, 1: 40, 2: 200, 3: 10}


def _affine() -> np.ndarray:
    slice_mm, row_mm, column_mm = SPACING
    return np.array([[slice_mm, 0, 0, 0], [0, 0, -column_mm, 0], [0, -row_mm, 0, 0], [0, 0, 0, 1.0]])


def make_toy(seed: int, name: str | None = None, known: bool = False) -> tuple[Scan, Segmentation]:
    """A column of bright blocks with dark discs between and a brighter canal behind, levels numbered."""
    rng = np.random.default_rng(seed)
    left, bottom = int(rng.integers(12, 20)), int(rng.integers(70, 78))
    levels = spine_at(left, bottom)
    kind = np.select([levels == 100, levels > 200, levels > 0], [3, 2, 1], 0)
    voxels = np.vectorize((_KNOWN if known else _NEW).get)(kind) + rng.normal(0, 9, SHAPE)
    scan = Scan(voxels.clip(0, 255).astype(np.int16), _affine(), name=name or f"toy{seed}_1_t2")
    return scan, Segmentation(levels, _affine(), name=f"{scan.name}_seg")


@pytest.fixture
def toy():
    """`toy(seed)`: a scan and its true labels."""
    return make_toy


@pytest.fixture
def toy_store(tmp_path):
    """`toy_store(count)`: the folder of a store with so many corrected toy scans, all done."""

    def make(count: int = 1, state: str = "done") -> Path:
        store = CorrectionsStore(tmp_path / "store", create=True)
        for seed in range(count):
            scan, labels = make_toy(seed, f"{seed + 1}_t2")
            store.add_correction(scan, labels)
            store.find(scan).say(state)
        return store.path

    return make


@pytest.fixture(scope="session")
def toy_weights(tmp_path_factory) -> Path:
    """A network of a few thousand parameters that segments toys in the contrast it knows, and its card."""
    import torch

    from napari_spineseg.anatomy import levels_to_structures
    from napari_spineseg.core.checkpoint import ModelCard, save_model
    from napari_spineseg.core.inputs import InputSpec, neighbour_indices, normalise
    from napari_spineseg.core.losses import cross_entropy_dice
    from napari_spineseg.core.networks import build_network

    torch.manual_seed(1)
    spec = InputSpec(spacing_mm=2.0, stride=8)
    arguments = {"in_channels": 3, "classes": 4, "widths": [8, 12, 16]}
    network = build_network("spine_net", arguments).train()
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    images, targets = [], []
    for seed in range(100, 103):
        scan, labels = make_toy(seed, known=True)
        turn = scan.grid.to_orientation()
        volume = normalise(torch.from_numpy(turn.apply(scan.voxels).astype(np.float32)), "zscore")
        images += [volume[neighbour_indices(i, len(volume), SPACING[0], spec)] for i in range(len(volume))]
        targets.append(torch.from_numpy(levels_to_structures(turn.apply(labels.labels))).long())
    images, targets = torch.stack(images), torch.cat(targets)
    for step in range(60):
        picked = torch.arange(step % 3, len(images), 3)
        optimizer.zero_grad()
        cross_entropy_dice(network(images[picked]), targets[picked]).backward()
        optimizer.step()
    card = ModelCard(name="toy", title="Toys", network="spine_net", arguments=arguments, input=spec)
    weights = tmp_path_factory.mktemp("toy") / "1.safetensors"
    save_model(network.eval(), card, weights)
    return weights


def put_toy(home: Path, weights: Path) -> str:
    """The toy model as `toy@1` in a home."""
    folder = home / "models" / "toy"
    folder.mkdir(parents=True)
    for file in (weights, weights.with_suffix(".json")):
        (folder / file.name).write_bytes(file.read_bytes())
    return "toy"


def opens(store: Path, before: str) -> None:
    """What must hold at any moment: models load, the one in use too, and the store gives its scans."""
    from napari_spineseg.core.checkpoint import load_model
    from napari_spineseg.models import get_model, list_models

    for entry in list_models():
        if not entry.bundled:
            load_model(entry.weights)
    assert get_model().key in {before, *(e.key for e in list_models() if e.card.get("promoted"))}
    opened = CorrectionsStore(store)
    assert not opened.damaged() and all(e.latest.load() is not None for e in opened.entries("done"))


@pytest.fixture
def everything_opens():
    """`everything_opens(store, before)`: fails unless models, the one in use and the store can be read."""
    return opens


@pytest.fixture
def toy_model(spineseg_home, toy_weights) -> str:
    """The toy model in an empty home; its name."""
    return put_toy(spineseg_home, toy_weights)


@pytest.fixture
def learn_settings(toy_model):
    """`learn_settings(store, **changes)`: settings under which a toy is learnt in seconds."""
    from napari_spineseg.learning.settings import LearnSettings

    def make(store: Path, model: str = toy_model, **changes):
        quick = {"steps": 80, "learning_rate": 0.01, "pull": 0.0, "batch": 8, "device": "cpu"}
        return LearnSettings(corrections=store, model=model, **(quick | changes))

    return make


@pytest.fixture
def toy_guard(monkeypatch):
    """A guard of what the toy parent can do: toys in the contrast it knows. For tests in this process.

    So small a network cannot hold two contrasts, and phantoms do not help it to: it may forget.
    """
    from napari_spineseg.anatomy import levels_to_structures
    from napari_spineseg.datasets.prepared import PreparedVolume, windowed
    from napari_spineseg.learning.stages import best, finetune, preparing
    from napari_spineseg.learning.verdict import gate
    from napari_spineseg.learning.verdict.guard import GuardScan

    found = []
    for seed in (200, 201):
        scan, labels = make_toy(seed, known=True)
        turn = scan.grid.to_orientation()
        values, structures = (
            windowed(turn.apply(scan.voxels)),
            levels_to_structures(turn.apply(labels.labels)),
        )
        found.append(GuardScan(PreparedVolume("g", "g", "image", values, structures, *SPACING[:2]), [2, 4]))
    monkeypatch.setattr(preparing, "guard_scans", lambda spec, table: found)
    monkeypatch.setattr(best, "_COST", 0.0)
    monkeypatch.setattr(finetune, "_REPLAY_WEIGHT", 10.0)
    monkeypatch.setattr(gate, "GUARD_LOSS", 1.0)
    monkeypatch.setattr(gate, "GUARD_LOSS_AT_WORST", 1.0)


@pytest.fixture
def run_session():
    """`run_session(settings)`: a whole run in this process; what it said, and what it returned."""
    from napari_spineseg.learning.run.folder import RunFolder
    from napari_spineseg.learning.run.session import Session

    def run(settings, order=lambda: "", folder=None):
        folder = folder or RunFolder.create(settings)
        said = []

        def say(event) -> None:
            folder.say(event)
            said.append(event)

        return said, Session(folder, say, order).run(), folder

    return run
