"""The model that a run begins with, and what it sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from napari_spineseg.core.checkpoint import ModelCard, load_model
from napari_spineseg.core.device import choose_device, precision_name, training_precision
from napari_spineseg.datasets.prepared import PreparedVolume
from napari_spineseg.errors import ModelError
from napari_spineseg.io.write import put
from napari_spineseg.learning.lessons.lesson import Predict
from napari_spineseg.learning.reading import Reader
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.starting import model_to_learn_from
from napari_spineseg.models import ModelEntry, get_model
from napari_spineseg.progress import Control


@dataclass(frozen=True, eq=False)
class Parent:
    """A version of the registry, loaded, on the device that it is to learn on."""

    entry: ModelEntry
    network: nn.Module
    card: ModelCard
    device: torch.device
    dtype: torch.dtype
    reader: Reader

    @property
    def precision(self) -> str:
        """What it computes in, in words."""
        return precision_name(self.dtype)

    def reader_of(self, network: nn.Module) -> Reader:
        """A reader of a network that descends from it."""
        return Reader(network, self.card.input, self.device, self.dtype)

    def sees(self, control: Control) -> Predict:
        """Its answers on slices of a volume; it can be stopped before each."""

        def answer(volume: PreparedVolume, slices: Sequence[int]) -> np.ndarray:
            return self.reader.all_classes(volume, _unless_stopped(slices, control))

        return answer


def load_parent(folder: RunFolder) -> Parent:
    """The parent of a run.

    Raises
    ------
    SpineSegError
        If there is no such model, or it cannot learn.
    """
    entry = _pinned(folder)
    model = load_model(entry.weights)
    spec = model.card.input
    device = choose_device(folder.settings.device)
    dtype = training_precision(device)
    reader = Reader(model.network, spec, device, dtype)
    return Parent(entry, model.network, model.card, device, dtype, reader)


def learnt_before(entry: ModelEntry) -> set[str]:
    """Lessons ("scan@labels" hashes) that a model, or one that it comes from, has learnt."""
    found: set[str] = set()
    seen: set[str] = set()
    while entry.key not in seen:
        seen.add(entry.key)
        for row in entry.card.get("data", {}).get("corrections", []):
            if row.get("role") != "held back":
                found.add(f"{row.get('scan_sha256')}@{row.get('labels_sha256')}")
        try:
            entry = get_model(entry.card.get("parent") or entry.key)
        except ModelError:
            break
    return found


def _pinned(folder: RunFolder) -> ModelEntry:
    """The version that the settings meant when the run began: after a kill another may be in use."""
    path = folder.path / "parent.json"
    if path.exists():
        return get_model(json.loads(path.read_text(encoding="utf-8"))["key"])
    entry = model_to_learn_from(folder.settings.model)
    put(path, json.dumps({"key": entry.key}).encode())
    return entry


def _unless_stopped(slices: Iterable[int], control: Control) -> Iterator[int]:
    for index in slices:
        control.check()
        yield index
