"""Training steps: ours, against the same network trained the way nnU-Net trains on a processor.

First steps alone on one batch, one thread, in processor seconds, which say more than wall seconds on a
busy machine. Then with the making of batches, in wall seconds on all cores: our sampler in a thread
beside the network, against the same sampler behind a DataLoader. A step is forward, loss, backward and
optimiser.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.figure import Figure
from benchmarks.workload import interleaved
from napari_spineseg import io
from napari_spineseg.anatomy import levels_to_structures
from napari_spineseg.core.device import threads
from napari_spineseg.core.losses import cross_entropy_dice
from napari_spineseg.core.networks import build_network
from napari_spineseg.core.train import Trainer
from napari_spineseg.datasets.crops import Batch, CropSampler
from napari_spineseg.datasets.prepare import SPACING_MM
from napari_spineseg.datasets.prepared import PreparedVolume, resized, resized_labels, windowed
from napari_spineseg.learning.recipe import PretrainSettings, find_recipe, read_recipe
from napari_spineseg.sample_data import T2, sample_path

_STEPS = 3


_AUTOCAST, _NNUNET = "bf16 autocast alone", "fp32, contiguous, instance norm"
_PROMISED = {_AUTOCAST: 1.0, _NNUNET: 3.0}


def measure(runs: int) -> list[Figure]:
    recipe = read_recipe(find_recipe("lumbar"))
    sampler = CropSampler([_sample_volume()], recipe.crops.model_copy(update={"synthetic_share": 0.0}), 0)
    return _alone(recipe, sampler, runs) + _with_batches(recipe, sampler, runs)


def _alone(recipe: PretrainSettings, sampler: CropSampler, runs: int) -> list[Figure]:
    batch = sampler.batch(0, recipe.train.batch)
    plain = [(batch.image, batch.target, batch.weight)]
    with threads(1), tempfile.TemporaryDirectory() as folder:
        jobs = {
            "ours": _ours(recipe, lambda step: batch, Path(folder), 1),
            _AUTOCAST: _plain(recipe, plain, torch.bfloat16),
            _NNUNET: _plain(recipe, plain, torch.float32),
        }
        seconds = interleaved(jobs, runs)
    return _figures("a step alone", {name: [s.processor for s in laps] for name, laps in seconds.items()}, 1)


def _with_batches(recipe: PretrainSettings, sampler: CropSampler, runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        jobs = {
            "ours": _ours(recipe, lambda step: sampler.batch(step, recipe.train.batch), Path(folder), _STEPS),
            _AUTOCAST: _plain(recipe, _loader(recipe, sampler), torch.bfloat16),
            _NNUNET: _plain(recipe, _loader(recipe, sampler), torch.float32),
        }
        seconds = interleaved(jobs, runs)
    walls = {name: [lap.wall for lap in laps] for name, laps in seconds.items()}
    return _figures("with its batch made", walls, _STEPS)


def _figures(what: str, seconds: dict[str, list[float]], steps: int) -> list[Figure]:
    ours = seconds["ours"]
    figures = [Figure(f"training, {what}, ours", tuple(s / steps for s in ours), "s")]
    for name, least in _PROMISED.items():
        ratios = tuple(other / mine for other, mine in zip(seconds[name], ours, strict=True))
        figures.append(Figure(f"{what}, {name}: times as long as ours", ratios, "x", at_least=least))
    return figures


def _ours(recipe: PretrainSettings, batches: Callable[[int], Batch], folder: Path, steps: int):
    """Some more steps of one running `Trainer`."""
    settings = recipe.train.model_copy(update={"steps": 10**6, "save_every": 10**6})
    trainer = Trainer(build_network(recipe.network, recipe.arguments), batches, _loss, settings, folder)

    def run() -> None:
        for _ in range(steps):
            trainer.advance()

    return run


def _loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    return cross_entropy_dice(logits, batch.target, batch.weight)


def _loader(recipe: PretrainSettings, sampler: CropSampler) -> DataLoader:
    # Spawned, since a forked process inherits torch's threads as locks that nobody will open
    return DataLoader(
        _Batches(sampler, recipe.train.batch),
        batch_size=None,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )


class _Batches(Dataset):
    """The sampler as a map-style dataset of whole batches."""

    def __init__(self, sampler: CropSampler, count: int) -> None:
        self.sampler, self.count = sampler, count

    def __len__(self) -> int:
        return _STEPS

    def __getitem__(self, step: int) -> tuple[torch.Tensor, ...]:
        batch = self.sampler.batch(step, self.count)
        return batch.image, batch.target, batch.weight


def _plain(recipe: PretrainSettings, batches: Iterable[tuple[torch.Tensor, ...]], dtype: torch.dtype):
    """A plain PyTorch loop; in float32 with instance norm in place of batch norm, as nnU-Net has it."""
    network = build_network(recipe.network, recipe.arguments).train()
    if dtype == torch.float32:
        network = _with_instance_norm(network)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.train.learning_rate)

    def run() -> None:
        for image, target, weight in batches:
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                logits = network(image)
            loss = cross_entropy_dice(logits.float(), target, weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return run


def _with_instance_norm(network: nn.Module) -> nn.Module:
    network = copy.deepcopy(network)
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.InstanceNorm2d(child.num_features, affine=True))
    return network


def _sample_volume() -> PreparedVolume:
    """The T2 sample at the recipe's pixel size."""
    path = sample_path(T2)
    scan = io.read_scan(path)
    labels = io.read_segmentation(path.with_name(path.name.replace(".nii", "_labels.nii")))
    slice_mm, *in_plane = scan.grid.to_orientation().grid.spacing
    values = np.array(scan.sagittal(), np.float32)
    size = tuple(round(n * mm / SPACING_MM) for n, mm in zip(values.shape[1:], in_plane, strict=True))
    levels = np.ascontiguousarray(labels.grid.to_orientation().apply(labels.labels))
    structures = resized_labels(levels_to_structures(levels), size, range(4))
    return PreparedVolume(
        "sample", "phantom", "image", resized(windowed(values), size), structures, slice_mm, SPACING_MM
    )
