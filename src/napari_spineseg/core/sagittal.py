"""A scan as the network sees it: sagittal slices on the network's grid, made when they are needed.

Only the slices in use are held, so that memory does not grow with a float copy of the scan.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
import torch

from napari_spineseg.core.inputs import (
    InputSpec,
    neighbour_indices,
    normalise,
    pad_to_stride,
    resample_slices,
)
from napari_spineseg.core.resample import Window

# Prepared slices that are kept, in bytes: the neighbours of the next slices are among them.
_KEEP_BYTES = 192 * 2**20
# Statistics of a slice are taken in float32; values beyond these are scaled to about 1 first.
_SMALL, _LARGE = 1e-3, 1e9


class SagittalSlices:
    """Prepared slices of a volume.

    Parameters
    ----------
    volume
        (slices, height, width), sagittal orientation, any real dtype.
    spacing
        mm along (slices, height, width).
    spec
        What the network expects.

    Attributes
    ----------
    size
        (height, width) on the network's grid, before padding.
    padded
        The same, padded to multiples of the network's stride.
    """

    def __init__(
        self,
        volume: np.ndarray,
        spacing: tuple[float, float, float],
        spec: InputSpec,
        device: torch.device | None = None,
    ) -> None:
        self.volume, self.spacing, self.spec = volume, spacing, spec
        # Slices are prepared where the network runs, but for Apple's GPU, which lacks some of the steps.
        self.device = device if device is not None and device.type == "cuda" else torch.device("cpu")
        self.size = spec.working_size(volume.shape[1], volume.shape[2], spacing[1:])
        self.padded = tuple(-(-n // spec.stride) * spec.stride for n in self.size)
        self.not_finite = False
        self._kept: OrderedDict[int, tuple[torch.Tensor, bool]] = OrderedDict()
        self._lock = threading.Lock()
        reach = 2 * spec.neighbours * max(1, round(spec.neighbour_mm / spacing[0])) + 1
        self._keep = max(reach, _KEEP_BYTES // (4 * self.padded[0] * self.padded[1]))

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.volume)

    @property
    def working_spacing(self) -> tuple[float, float, float]:
        """mm between slices, and between rows and columns of the network's grid."""
        rows, columns = (
            mm * n / size
            for mm, n, size in zip(self.spacing[1:], self.volume.shape[1:], self.size, strict=True)
        )
        return self.spacing[0], rows, columns

    def is_empty(self, index: int) -> bool:
        """Whether slice `index` is one value throughout, so that nothing can be seen in it."""
        return self._prepared(index)[1]

    def stack(self, indices: list[int], window: Window | None = None) -> torch.Tensor:
        """Network input of some slices: (len(indices), channels, H, W), channels_last.

        Each slice between its neighbours; `window` is the part of the padded slices that is wanted.
        """
        rows, columns = (window or Window(0, self.padded[0], 0, self.padded[1])).slices
        out = torch.empty(
            (len(indices), self.spec.channels, rows.stop - rows.start, columns.stop - columns.start),
            device=self.device,
            memory_format=torch.channels_last,
        )
        for target, index in zip(out, indices, strict=True):
            neighbours = neighbour_indices(index, len(self), self.spacing[0], self.spec)
            for channel, neighbour in zip(target, neighbours, strict=True):
                channel.copy_(self._prepared(neighbour)[0][rows, columns])
        return out

    def _prepared(self, index: int) -> tuple[torch.Tensor, bool]:
        # Several slices go through the network at a time, and share their neighbours
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
            else:
                self._kept[index] = self._prepare(index)
                while len(self._kept) > self._keep:
                    self._kept.popitem(last=False)
            return self._kept[index]

    def _prepare(self, index: int) -> tuple[torch.Tensor, bool]:
        values, self.not_finite = _as_float32(self.volume[index], self.not_finite)
        empty = bool(values.min() == values.max())
        slice_ = torch.from_numpy(values)[None]
        if self.device.type == "cuda":
            slice_ = slice_.pin_memory().to(self.device, non_blocking=True)
        slice_ = normalise(resample_slices(slice_, self.size), self.spec.normalise)
        return pad_to_stride(slice_, self.spec.stride)[0], empty


def _as_float32(values: np.ndarray, not_finite: bool) -> tuple[np.ndarray, bool]:
    """A slice as a contiguous float32 array of sane magnitude; what is not finite becomes background."""
    wide = values.dtype.kind == "f" and values.dtype.itemsize > 4
    out = np.ascontiguousarray(values, np.float64 if wide else np.float32)
    if values.dtype.kind == "f":
        finite = np.isfinite(out)
        if not finite.all():
            not_finite = True
            out = np.where(finite, out, out[finite].min() if finite.any() else 0)
        peak = max(abs(float(out.min())), abs(float(out.max())))
        if peak and not _SMALL < peak < _LARGE:
            # Both normalisations ignore scale, but float32 statistics would over- or underflow.
            out = out / peak
    out = np.ascontiguousarray(out, np.float32)
    # torch warns of arrays that cannot be written to, such as a memory map's
    return (out if out.flags.writeable else out.copy()), not_finite
