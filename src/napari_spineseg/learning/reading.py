"""A network that answers for slices of prepared volumes, quickly: folded, in the device's best precision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from napari_spineseg.anatomy import Structure
from napari_spineseg.core.checkpoint import ModelCard, output_structures
from napari_spineseg.core.engine import Engine, build_engine
from napari_spineseg.core.inputs import InputSpec, network_input
from napari_spineseg.datasets.prepared import PreparedVolume


class Reader:
    """A copy of `network` as it is now, ready to answer.

    Attributes
    ----------
    engine
        What runs it.
    """

    def __init__(self, network: nn.Module, spec: InputSpec, device: torch.device, dtype: torch.dtype) -> None:
        self.spec = spec
        self.engine: Engine = build_engine(network, device, dtype)

    def classes(self, volume: PreparedVolume, index: int) -> np.ndarray:
        """Class of each pixel of slice `index`, (height, width) uint8."""
        return self.logits(volume, index).argmax(0).byte().cpu().numpy()

    def all_classes(self, volume: PreparedVolume, indices: Iterable[int]) -> np.ndarray:
        """Classes of several slices, (n, height, width) uint8."""
        return np.stack([self.classes(volume, index) for index in indices])

    def logits(self, volume: PreparedVolume, index: int) -> torch.Tensor:
        """(classes, height, width) float32 of slice `index` between its neighbours."""
        height, width = volume.values.shape[1:]
        image = network_input(volume.values, index, volume.slice_mm, self.spec)
        return self.engine(image)[0, :, :height, :width]


def class_table(card: ModelCard) -> np.ndarray:
    """(5,) uint8: the network's class of each `Structure`; 0 for what the model does not know.

    Raises
    ------
    ModelError
        If the card names a structure that does not exist.
    """
    table = np.zeros(len(Structure), np.uint8)
    for number, structure in enumerate(output_structures(card)):
        table[structure] = number
    return table


def class_titles(card: ModelCard) -> dict[int, str]:
    """Titles of the network's classes, background left out: {1: "vertebra", ...}."""
    table = class_table(card)
    return {int(table[s]): s.title for s in Structure if table[s]}


def evenly(indices: Sequence[int] | np.ndarray, count: int) -> list[int]:
    """At most `count` of `indices`, evenly spread, none at the ends if some are left out.

    >>> evenly(range(10), 2), evenly([4, 5], 3)
    ([3, 6], [4, 5])
    """
    indices = list(indices)
    if len(indices) <= count:
        return [int(i) for i in indices]
    places = np.linspace(0, len(indices) - 1, count + 2)[1:-1].round().astype(int)
    return [int(indices[p]) for p in np.unique(places)]
