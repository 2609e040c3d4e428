"""A network of volumes under our engine and under other engines, with the same random weights.

The bundled models read slices; this shows what the engine makes of the kind of network that nnU-Net
plans for thick-slice exams. The volume is a sixteenth of a 17 x 512 x 512 exam, with patches to match,
or the slowest would take an hour. One thread and processor seconds throughout, as in `engine`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from benchmarks.engine import dice, flops
from benchmarks.figure import Figure
from benchmarks.limit import convolution_limit, share_of_limit
from benchmarks.peers import peers
from benchmarks.workload import interleaved
from napari_spineseg.core.device import choose_precision, threads
from napari_spineseg.core.engine import build_engine

VOLUME, PATCH = (17, 128, 128), (16, 80, 80)
WIDTHS = (24, 48, 96, 192, 256)
# Through the slices the finest scales look and shrink little: slices are 4 mm apart, pixels 0.5.
_KERNELS = ((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))
_STRIDES = ((1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2))
_CLASSES = 4
_LAPS_TO_SHARE = 25
_PROMISED = {"MONAI bf16 autocast": 5.0, "nnU-Net defaults": 60.0}


class VolumeUNet(nn.Module):
    """The shape of nnU-Net's 3D networks, with batch norms: (1, 1, D, H, W) -> (1, 4, D, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.up, self.decoder = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        before = 1
        for width, kernel, stride in zip(WIDTHS, _KERNELS, ((1, 1, 1), *_STRIDES), strict=True):
            self.encoder.append(_block(before, width, kernel, stride))
            before = width
        for width, kernel, stride in zip(WIDTHS[-2::-1], _KERNELS[-2::-1], _STRIDES[::-1], strict=True):
            self.up.append(nn.ConvTranspose3d(before, width, stride, stride))
            self.decoder.append(_block(2 * width, width, kernel, (1, 1, 1)))
            before = width
        self.head = nn.Conv3d(before, _CLASSES, 1)

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        skips, features = [], volume
        for block in self.encoder:
            features = block(features)
            skips.append(features)
        skips.pop()
        for up, block in zip(self.up, self.decoder, strict=True):
            features = block(torch.cat([up(features), skips.pop()], 1))
        return self.head(features)


def _block(before: int, width: int, kernel: tuple[int, ...], stride: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels, step in ((before, stride), (width, (1, 1, 1))):
        layers += [
            nn.Conv3d(channels, width, kernel, step, [k // 2 for k in kernel], bias=False),
            nn.BatchNorm3d(width),
            nn.LeakyReLU(0.01, inplace=True),
        ]
    return nn.Sequential(*layers)


def measure(runs: int) -> list[Figure]:
    torch.manual_seed(0)
    network, volume = VolumeUNet().eval(), torch.randn(1, 1, *VOLUME)
    cpu = torch.device("cpu")
    engine = build_engine(network, cpu, choose_precision(cpu))
    others = peers(network, _CLASSES, PATCH)

    # One piece: the depth padded to what the strides divide, and nothing computed twice
    padded = functional.pad(volume, (0, 0, 0, 0, 0, -VOLUME[0] % 4))

    def ours() -> torch.Tensor:
        return engine(padded)[:, :, : VOLUME[0]]

    jobs = {"ours": ours} | {name: lambda run=run: run(volume) for name, run in others.items()}
    with threads(1), torch.inference_mode():
        seconds = interleaved(jobs, min(runs, 2))
        limit = convolution_limit(engine.dtype)
        shares = share_of_limit(ours, flops(network, padded) / 1e9, limit, runs * _LAPS_TO_SHARE)
        mine = [lap.processor for lap in seconds["ours"]]
        own = ours()
        figures = [
            Figure("3D network, ours", tuple(mine), "s"),
            Figure("3D network, share of the limit", tuple(shares), "", at_least=0.6),
        ]
        for name, run in others.items():
            ratios = tuple(lap.processor / s for lap, s in zip(seconds[name], mine, strict=True))
            figures.append(
                Figure(f"3D, {name}: times as long as ours", ratios, "x", at_least=_PROMISED.get(name))
            )
            if "mirroring" in name or "MONAI" in name:
                figures.append(Figure(f"3D, {name}: Dice with ours", (dice(run(volume), own),), ""))
    return figures
