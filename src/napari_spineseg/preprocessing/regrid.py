"""From one voxel grid to another: exact where voxels only change place, torch where they do not.

Three cases, told apart by the map from target indices to source indices: axes swapped, flipped
and shifted by whole voxels (a copy, no arithmetic); axes scaled (one small matrix an axis, slab
by slab, averaging where the grid gets coarser); anything oblique (`grid_sample`, slab by slab).
Memory beyond source and result is a few slabs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from napari_spineseg.grid import Box, Grid
from napari_spineseg.progress import Control

Kernel = Literal["linear", "cubic"]

STAGE = "Resampling"
# Target slices that are worked on at a time, as voxels: small enough to stop and to stay in cache.
_SLAB_VOXELS = 2**21
# How far from whole numbers an index map may be and still count as a change of place, in voxels.
_WHOLE = 1e-4


@dataclass(frozen=True, eq=False)
class AxisMap:
    """How one target axis runs along one source axis: source index = scale × target index + offset."""

    source_axis: int
    scale: float
    offset: float

    @property
    def whole(self) -> bool:
        """Whether every target index is a whole source index, one step a step."""
        return abs(abs(self.scale) - 1) < 1e-6 and abs(self.offset - round(self.offset)) < _WHOLE

    def weights(self, source: int, target: int, kernel: Kernel = "linear") -> np.ndarray:
        """(target, source) float32: how much each source voxel counts for each target voxel.

        A triangle (or Keys' cubic) as wide as the coarser of both grids. Rows sum to 1; a target
        voxel whose centre is outside the source's field of view has a row of zeros.
        """
        at = self.scale * np.arange(target) + self.offset
        width = max(1.0, abs(self.scale))
        distance = np.abs(np.arange(source)[None] - at[:, None]) / width
        if kernel == "cubic":
            near = (1.5 * distance - 2.5) * distance**2 + 1
            far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
            weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
        else:
            weights = np.clip(1 - distance, 0, None)
        inside = (at >= -0.5 - _WHOLE) & (at <= source - 0.5 + _WHOLE)
        # In the outer half voxel, and under a wide kernel, part of it is outside: the rest counts.
        total = weights.sum(1, keepdims=True)
        nearest = np.clip(np.rint(at), 0, source - 1).astype(int)
        empty = np.abs(total[:, 0]) < 1e-6
        weights[empty, nearest[empty]] = 1
        total[empty] = 1
        return (weights / total * inside[:, None]).astype(np.float32)


def index_map(source: Grid, target: Grid, moved: np.ndarray | None = None) -> np.ndarray:
    """(4, 4) float64, target index to source index; `moved` takes RAS mm before to RAS mm after."""
    back = np.eye(4) if moved is None else np.linalg.inv(moved)
    return np.linalg.inv(source.affine) @ back @ target.affine


def axis_maps(matrix: np.ndarray) -> tuple[AxisMap, AxisMap, AxisMap] | None:
    """One map a target axis where no two axes mix, else None."""
    part = matrix[:3, :3]
    largest = np.abs(part).argmax(0)
    if sorted(largest) != [0, 1, 2]:
        return None
    rest = part.copy()
    rest[largest, range(3)] = 0
    if np.abs(rest).max() > 1e-6:
        return None
    return tuple(AxisMap(int(a), float(part[a, j]), float(matrix[a, 3])) for j, a in enumerate(largest))


def regrid(
    voxels: np.ndarray,
    source: Grid,
    target: Grid,
    moved: np.ndarray | None = None,
    kernel: Kernel = "linear",
    control: Control = Control(),
) -> np.ndarray:
    """Grey values on another grid.

    Parameters
    ----------
    voxels
        (i, j, k) of `source`, any real dtype.
    moved
        (4, 4) RAS mm, where points of the source went; None where they stay.
    kernel
        "cubic" is sharper; oblique grids are always interpolated linearly.

    Returns
    -------
    (i, j, k) of `target`, in the dtype of `voxels` (whole numbers are rounded). Outside the
    source's field of view: the lowest value there is.
    """
    matrix = index_map(source, target, moved)
    maps = axis_maps(matrix)
    if maps is not None and all(m.whole for m in maps):
        return _place(voxels, maps, target.shape)
    if maps is not None:
        return _scale(voxels, maps, target.shape, kernel, control)
    return _turn(voxels, matrix, target.shape, control)


def window_of(axis: AxisMap, source: int, target: int) -> tuple[slice, slice]:
    """Which target indices lie on which source indices, for a map of whole steps."""
    step, offset = round(axis.scale), round(axis.offset)
    if step > 0:
        first, last = max(0, -offset), min(target, source - offset)
    else:
        first, last = max(0, offset - source + 1), min(target, offset + 1)
    if last <= first:
        return slice(0, 0), slice(0, 0)
    begin, end = offset + step * first, offset + step * (last - 1)
    return slice(first, last), slice(begin, end + step if end + step >= 0 else None, step)


def _place(voxels: np.ndarray, maps: tuple[AxisMap, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Voxels that only change place."""
    turned = voxels.transpose([m.source_axis for m in maps])
    windows = [window_of(m, n, t) for m, n, t in zip(maps, turned.shape, shape, strict=True)]
    into, taken = (tuple(pair) for pair in zip(*windows, strict=True))
    if all(w.start == 0 and w.stop == n for w, n in zip(into, shape, strict=True)):
        return np.array(turned[taken], order="C")
    out = np.full(shape, lowest(voxels), voxels.dtype)
    out[into] = turned[taken]
    return out


def _scale(
    voxels: np.ndarray, maps: tuple[AxisMap, ...], shape: tuple[int, ...], kernel: Kernel, control: Control
) -> np.ndarray:
    """Axes that get finer or coarser: one matrix an axis, a slab of target slices at a time."""
    turned = voxels.transpose([m.source_axis for m in maps])
    first, *others = (
        torch.from_numpy(m.weights(n, t, kernel)) for m, n, t in zip(maps, turned.shape, shape, strict=True)
    )
    floor = float(lowest(voxels))
    out = np.empty(shape, voxels.dtype)
    slab = slab_of(shape)
    for start in range(0, shape[0], slab):
        rows = first[start : start + slab]
        used = rows.abs().sum(0).nonzero()
        if len(used):
            low, high = int(used[0]), int(used[-1]) + 1
            part = _float(turned[low:high]).sub_(floor)
            part = _along(part, others[0], others[1])
            # (rows, source rows) x (source rows, pixels)
            part = (rows[:, low:high] @ part.reshape(high - low, -1)).reshape(-1, *shape[1:])
        else:
            part = torch.zeros((len(rows), *shape[1:]))
        out[start : start + len(rows)] = _as(part.add_(floor), voxels.dtype)
        control.step(STAGE, min(start + slab, shape[0]), shape[0])
    return out


def _along(part: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(n, h, w) -> (n, H, W), with weights (H, h) and (W, w)."""
    if not _identity(rows):
        part = rows @ part
    return part if _identity(columns) else part @ columns.T


def _identity(weights: torch.Tensor) -> bool:
    return weights.shape[0] == weights.shape[1] and torch.equal(weights, torch.eye(len(weights)))


def _turn(voxels: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...], control: Control) -> np.ndarray:
    """An oblique grid: every target voxel looks up its place among the source's."""
    floor = float(lowest(voxels))
    volume = _smooth(_float(voxels), np.abs(matrix[:3, :3]).max(1))
    out = np.empty(shape, voxels.dtype)
    slab = slab_of(shape)
    for start in range(0, shape[0], slab):
        stop = min(start + slab, shape[0])
        place, inside = lookup(
            matrix, (slice(start, stop), slice(0, shape[1]), slice(0, shape[2])), voxels.shape
        )
        part = functional.grid_sample(
            volume[None, None], place[None], mode="bilinear", padding_mode="border", align_corners=True
        )[0, 0]
        out[start:stop] = _as(torch.where(inside, part, floor), voxels.dtype)
        control.step(STAGE, stop, shape[0])
    return out


def lookup(matrix: np.ndarray, window: Box, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the voxels of a window of the target lie in a source of `shape`.

    Returns
    -------
    place, inside
        (i, j, k, 3) float32 as `grid_sample` wants it, and whether that is in the field of view.
    """
    axes = [torch.arange(w.start, w.stop, dtype=torch.float64) for w in window]
    place, inside = [], None
    for axis in range(3):
        i, j, k = (float(v) for v in matrix[axis, :3])
        at = (i * axes[0])[:, None, None] + (j * axes[1])[:, None] + (k * axes[2] + float(matrix[axis, 3]))
        here = (at >= -0.5) & (at <= shape[axis] - 0.5)
        inside = here if inside is None else inside & here
        place.append((at * (2 / max(shape[axis] - 1, 1)) - 1).float())
    return torch.stack(place[::-1], -1), inside


def _smooth(volume: torch.Tensor, steps: np.ndarray) -> torch.Tensor:
    """Average along axes that the target takes in steps of more than a voxel, against aliasing."""
    for axis, step in enumerate(steps):
        if step > 1.01:
            distance = np.abs(np.subtract.outer(np.arange(volume.shape[axis]), np.arange(volume.shape[axis])))
            weights = np.clip(1 - distance / step, 0, None)
            matrix = torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))
            volume = torch.movedim(torch.tensordot(matrix, volume, dims=([1], [axis])), 0, axis)
    return volume.contiguous()


def slab_of(shape: tuple[int, ...]) -> int:
    """How many slices of a (slices, h, w) target are worked on at a time."""
    return max(1, min(shape[0], _SLAB_VOXELS // max(1, shape[1] * shape[2])))


def lowest(voxels: np.ndarray) -> np.generic:
    """The value that stands for outside."""
    return voxels.min()


def _float(part: np.ndarray) -> torch.Tensor:
    """A float32 copy that torch may write to."""
    return torch.from_numpy(np.array(part, np.float32, order="C"))


def _as(part: torch.Tensor, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # float32 cannot hold the largest 32-bit numbers; 2**31 itself would wrap around.
        top = min(float(limits.max), float(np.nextafter(np.float32(limits.max), np.float32(0))))
        return part.round_().clamp_(float(limits.min), top).numpy().astype(dtype)
    return part.numpy().astype(dtype, copy=False)
