"""Planes through a volume: its slices, or sheets that wander from slice to slice.

A spine that is scoliotic, or lies turned, is cut by flat slices in another way at every level: canal
above, pedicle below. Of straight spines the same is seen on a sheet that bends and turns. So few patients
give many more images, and what they show is what was scanned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from napari_spineseg.core import augment


class SheetSettings(BaseModel):
    """How far a sheet leaves its slice. Every reach is the largest that is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(0.0, ge=0, le=1, description="share of samples that are cut along a sheet")
    lean_mm: float = Field(6.0, ge=0, description="how far to the side top and bottom lean, opposite ways")
    bow_mm: float = Field(6.0, ge=0, description="how far to the side the middle bows")
    turn_deg: float = Field(6.0, ge=0, lt=45, description="turn around the long axis of the body")


def draw_sheet(
    size: tuple[int, int], pixel_mm: float, settings: SheetSettings, rng: np.random.Generator
) -> torch.Tensor:
    """How far a sheet lies to the side of its slice, mm, (height, width) float32: 0 on the average."""
    lean, bow, turn = (
        rng.uniform(-reach, reach)
        for reach in (settings.lean_mm, settings.bow_mm, math.tan(math.radians(settings.turn_deg)))
    )
    rows = torch.linspace(-1, 1, size[0])[:, None]
    columns = (torch.arange(size[1]) - (size[1] - 1) / 2)[None] * pixel_mm
    return lean * rows + bow * (rows**2 - 1 / 3) * 1.5 + turn * columns


def positions(slices: list[int], count: int, sheet_slices: torch.Tensor) -> torch.Tensor:
    """Where a sheet runs beside each of `slices`, as (fractional) slices of a volume that has `count`.

    sheet_slices: (H, W), in slices -> (channels, H, W); it follows the outermost slice where it would leave
    the volume.
    """
    return (torch.tensor(slices)[:, None, None] + sheet_slices).clamp(0, count - 1)


@dataclass(frozen=True)
class View:
    """What a sample sees of a volume: a few of its slices, or sheets that run beside them.

    Attributes
    ----------
    slices
        One a channel.
    centre, offsets
        Where in the slices, see `core.augment.sample`: (row, column), and (H, W, 2).
    at
        Where the sheets run, (channels, H, W) in slices; None for slices as they are.
    """

    slices: list[int]
    centre: tuple[float, float]
    offsets: torch.Tensor
    at: torch.Tensor | None = None

    def labels(self, values: np.ndarray) -> torch.Tensor:
        """The nearest of (slices, h, w) labels, (channels, H, W) float32."""
        if self.at is None:
            return self._whole(values[self.slices], "nearest")
        return self._nearest(values, self.at)

    def grey(self, values: np.ndarray, thickness: int) -> torch.Tensor:
        """Means of (slices, h, w) uint8 over `thickness` slices to either side, (channels, H, W), 0..1."""
        last = len(values) - 1
        if self.at is None:
            near = [slice(max(0, s - thickness), min(last, s + thickness) + 1) for s in self.slices]
            stack = np.stack([values[part].mean(0) for part in near]).astype(np.float32) / 255
            return self._whole(stack, "bilinear")
        first, last = max(0, self._first - thickness), min(last, self._last + thickness)
        near = self._whole(values[first : last + 1], "bilinear")
        low = self.at.floor()
        # A slice at the border of the volume counts once for each that is missing beside it.
        beside = [(low + k - first).clamp(0, last - first).long() for k in range(-thickness, thickness + 2)]
        read = [near.gather(0, index) for index in beside]
        inner, share = sum(read[1:-1]), self.at - low
        return (inner + read[0].lerp(read[-1], share)) / (len(read) - 1) / 255

    def painted_from(self, values: np.ndarray) -> torch.Tensor:
        """(slices, h, w) tissues to paint before `mixed`: (channels, H, W) float32, of sheets twice as many.

        Between two slices there is no tissue half way, but a grey value: both sides are painted.
        """
        if self.at is None:
            return self.labels(values)
        return self._nearest(values, torch.cat([self.at.floor(), self.at.ceil()]))

    def mixed(self, painted: torch.Tensor) -> torch.Tensor:
        """(channels, H, W) of what was painted from `painted_from`."""
        if self.at is None:
            return painted
        below, above = painted.chunk(2)
        return below.lerp(above, self.at - self.at.floor())

    def _nearest(self, values: np.ndarray, at: torch.Tensor) -> torch.Tensor:
        near = self._whole(values[self._first : self._last + 1], "nearest")
        return near.gather(0, at.round().long() - self._first)

    def _whole(self, values: np.ndarray, mode: str) -> torch.Tensor:
        """(n, h, w) slices as the sample sees them, (n, H, W): all lie under the same pixels."""
        return augment.sample(torch.from_numpy(values).float(), self.centre, self.offsets, mode)

    @property
    def _first(self) -> int:
        return int(self.at.min().floor())

    @property
    def _last(self) -> int:
        return int(self.at.max().ceil())
