"""What the model sees of a scan around a place, for `click.fix_by_click`. Loads torch when it is first used.

Slices are looked at ahead of the clicks, one at a time beside the window, and those looked at last are
kept: a click then only reads what is there, and never waits for the network.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from napari_spineseg.anatomy import Structure
from napari_spineseg.grid import Box

if TYPE_CHECKING:
    from napari_spineseg.core.checkpoint import LoadedModel
    from napari_spineseg.core.resample import Window
    from napari_spineseg.scan import Scan

# Slices closer than this need not each be looked at, mm: those between are interpolated.
_APART_MM = 2.0
# Around a click slices this far to either side are of use, mm.
_REACH_MM = 9.0
# Slices that are kept.
_MOST = 16
# The network sees this much around the labels, mm: it needs to know where it is.
_CONTEXT_MM = 30.0
# A neighbour further away than this says nothing of a slice, mm.
_FAR_MM = 5.0


class LocalFeatures:
    """The network's view of one scan, slice by slice.

    Parameters
    ----------
    scan, model
        The network runs on the processor: a slice is too small to be worth a trip to a GPU.
    rows, columns
        Which part of the sagittal slices is of interest, voxels; a margin is added. All, if None.
    """

    def __init__(
        self, scan: Scan, model: LoadedModel, rows: slice | None = None, columns: slice | None = None
    ) -> None:
        import torch

        from napari_spineseg.core.engine import engine_for, safe_precision
        from napari_spineseg.core.sagittal import SagittalSlices

        volume, spacing = scan.sagittal(), scan.grid.to_orientation().grid.spacing
        self._shape, self._apart = volume.shape, float(spacing[0])
        self._slices = SagittalSlices(volume, spacing, model.card.input)
        self._structures = tuple(Structure.named(name) for name in model.card.structures)
        self._window = self._around(rows, columns, model.card.input.stride)
        middle = len(volume) // 2
        device, width = torch.device("cpu"), self._window.shape[1]
        precision = safe_precision("auto", device, width, model.card.input.stride)
        self._engine = engine_for(model, device, precision, lambda: self._input(middle))
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def wanted(self, index: int) -> list[int]:
        """Slices that are worth a look for clicks on slice `index` and are not kept, that one first."""
        step = max(1, round(_APART_MM / self._apart))
        reach = int(_REACH_MM / (step * self._apart))
        offsets = sorted(range(-reach, reach + 1), key=abs)
        all_of_use = [index + step * n for n in offsets if 0 <= index + step * n < self._shape[0]]
        with self._lock:
            near = {n for kept in self._kept for n in range(kept - step + 1, kept + step)}
            return [n for n in all_of_use if (n == index and n not in self._kept) or n not in near]

    def look(self, index: int) -> None:
        """Look at sagittal slice `index`, and keep what is seen."""
        import torch

        from napari_spineseg.core.device import threads, threads_for_one_slice

        with torch.inference_mode(), threads(threads_for_one_slice()):
            seen = self._engine(self._input(index))[0].half().numpy()
        with self._lock:
            self._kept[index] = seen
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)

    def odds(self, box: Box, structure: Structure) -> np.ndarray | None:
        """Logits of being `structure`, (shape of box) float32, for a box of the sagittal array.

        None where no slice in it was looked at, or the model does not know the structure. Outside of what
        was looked at they are 0.
        """
        wanted = np.arange(box[0].start, box[0].stop)
        with self._lock:
            asked = sorted(n for n in self._kept if box[0].start <= n < box[0].stop)
            seen = [self._kept[n] for n in asked]
        channel = self._structures.index(structure) if structure in self._structures else None
        if not asked or channel is None:
            return None
        planes = np.stack([self._cut(_logit(plane, channel), box) for plane in seen])
        out = between_slices(planes, asked, wanted)
        nearest = np.abs(wanted[:, None] - np.array(asked)[None]).min(1) * self._apart
        out[nearest > _FAR_MM] = 0
        return out

    def _input(self, index: int) -> object:
        return self._slices.stack([index], self._window)

    def _around(self, rows: slice | None, columns: slice | None, stride: int) -> Window:
        from napari_spineseg.core.resample import Window

        edges = []
        for axis, span in ((1, rows), (2, columns)):
            span = span or slice(0, self._shape[axis])
            scale = self._slices.size[axis - 1] / self._shape[axis]
            margin = _CONTEXT_MM / self._slices.working_spacing[axis]
            low = max(0.0, span.start * scale - margin) // stride * stride
            high = -(-(span.stop * scale + margin) // stride) * stride
            edges += [int(low), min(int(high), self._slices.padded[axis - 1])]
        return Window(*edges)

    def _cut(self, plane: np.ndarray, box: Box) -> np.ndarray:
        """Pixels of the scan inside of `box`, from (H, W) on the network's grid; 0 where it did not look."""
        window, inside = self._window, []
        for axis, first in ((1, window.top), (2, window.left)):
            scale = self._slices.size[axis - 1] / self._shape[axis]
            at = np.round((np.arange(box[axis].start, box[axis].stop) + 0.5) * scale - 0.5 - first).astype(
                int
            )
            inside.append((at >= 0) & (at < plane.shape[axis - 1]))
            plane = np.take(plane, np.clip(at, 0, plane.shape[axis - 1] - 1), axis - 1)
        return plane * (inside[0][:, None] & inside[1][None])


def _logit(seen: np.ndarray, channel: int) -> np.ndarray:
    """Log of p / (1 - p) of one class, from logits (classes, H, W)."""
    seen = seen.astype(np.float32)
    others = np.delete(seen, channel, 0)
    most = others.max(0)
    return seen[channel] - most - np.log(np.exp(others - most).sum(0))


def between_slices(planes: np.ndarray, asked: Sequence[int], wanted: np.ndarray) -> np.ndarray:
    """Slices `wanted` from those that were looked at, linear between them, float32.

    planes: (n, height, width), those at the indices `asked`, which rise; before the first and behind the
    last they are repeated.
    """
    at = np.interp(wanted, asked, np.arange(len(asked)))
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(asked) - 1)
    share = (at - low).astype(np.float32)[:, None, None]
    return planes[low] * (1 - share) + planes[high] * share
