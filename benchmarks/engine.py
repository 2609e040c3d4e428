"""The network under our engine, against the processor's own limit and against other engines.

One thread and processor seconds throughout: on a machine with other work they say what wall seconds
hide, and nobody is charged for threads that wait for each other.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figure import Figure
from benchmarks.limit import convolution_limit, share_of_limit
from benchmarks.peers import peers
from benchmarks.workload import bundled, exam, interleaved, network_input
from napari_spineseg.core.device import choose_precision, threads
from napari_spineseg.core.engine import Engine, build_engine
from napari_spineseg.core.predict import PredictOptions, predict

_SLICES_TO_SHARE = 25  # a run: a slice is short enough for the limit to hold still meanwhile


def measure(runs: int) -> list[Figure]:
    scan, model = exam(17), bundled()
    cpu = torch.device("cpu")
    engine = build_engine(model.network, cpu, choose_precision(cpu))
    images = network_input(scan, model)
    others = peers(model.network, len(model.card.structures))
    work = flops(model.network, images[:1]) / 1e9
    with threads(1), torch.inference_mode():
        limit = convolution_limit(engine.dtype)
        jobs = {"ours": lambda: _slice_by_slice(engine, images)}
        jobs |= {name: lambda run=run: run(images) for name, run in others.items()}
        seconds = interleaved(jobs, runs)
        figures = [
            Figure("network, a whole slice", (work,), "GFLOP"),
            Figure("ours, 17 slices", tuple(lap.processor for lap in seconds["ours"]), "s"),
            Figure(
                "share of the convolution limit",
                tuple(share_of_limit(lambda: engine(images[:1]), work, limit, runs * _SLICES_TO_SHARE)),
                "",
                at_least=0.65,
            ),
        ]
        figures += _against(others, seconds, torch.cat(_slice_by_slice(engine, images)), images)
    if not others:
        figures.append(Figure("peers: MONAI and nnU-Net are not installed (extra `bench`)", (0,), ""))
    return figures + _whole_prediction(scan, model, runs)


def _against(others, seconds, ours: torch.Tensor, images: torch.Tensor) -> list[Figure]:
    promised = {
        "MONAI fp32": 3.3,
        "MONAI bf16 autocast": 1.3,
        "nnU-Net without mirroring": 3.3,
        "nnU-Net defaults": 12.0,
    }
    figures = []
    for name, run in others.items():
        ratios = [
            theirs.processor / mine.processor
            for theirs, mine in zip(seconds[name], seconds["ours"], strict=True)
        ]
        figures.append(Figure(f"{name}: times as long as ours", tuple(ratios), "x", at_least=promised[name]))
        figures.append(Figure(f"{name}: Dice with ours", (dice(run(images), ours),), ""))
    return figures


def _whole_prediction(scan, model, runs: int) -> list[Figure]:
    """`predict` with its resampling, with and without looking for the spine first."""
    jobs = {
        name: lambda crop=crop: predict(scan, model, PredictOptions(device="cpu", crop=crop))
        for name, crop in (("spine first", True), ("whole slices", False))
    }
    seconds = interleaved(jobs, runs)
    return [
        Figure(f"predict, {name}: {kind}", tuple(getattr(lap, kind) for lap in laps), "s")
        for name, laps in seconds.items()
        for kind in ("wall", "processor")
    ]


def _slice_by_slice(engine: Engine, images: torch.Tensor) -> list[torch.Tensor]:
    return [engine(image[None]) for image in images]


def flops(network: nn.Module, image: torch.Tensor) -> int:
    """Of the network as it was trained: the counter does not know what an engine's convolutions do."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(image)
    return counter.get_total_flops()


def dice(first: torch.Tensor, second: torch.Tensor) -> float:
    """Mean over foreground classes of what two logits call by the same name."""
    one, other = first.argmax(1), second.argmax(1)
    classes = [k for k in range(1, first.shape[1]) if ((one == k) | (other == k)).any()]
    scores = [
        2 * float(((one == k) & (other == k)).sum()) / float((one == k).sum() + (other == k).sum())
        for k in classes
    ]
    return sum(scores) / len(scores) if scores else 1.0
