"""What the network sees around a place, for `click.fix_by_click`. Loads torch when it is first used.

The channels are the probabilities of its structures. Slices are computed once and kept while the
clicks stay near.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_spineseg.corrections.edit import Box

if TYPE_CHECKING:
    import torch

    from napari_spineseg.core.checkpoint import LoadedModel
    from napari_spineseg.scan import Scan

# Computed per look: enough for the few slices that a click reaches, at 0.9 mm too.
_MOST_SLICES = 5
# Around the box that is asked for, mm: the network needs to see where it is.
_CONTEXT_MM = 24.0


class LocalFeatures:
    """The network's view of one scan, a few slices at a time.

    Parameters
    ----------
    scan, model
        The network runs on the processor: a crop is too small to be worth a trip to a GPU.
    """

    def __init__(self, scan: Scan, model: LoadedModel) -> None:
        import torch

        from napari_spineseg.core.engine import engine_for
        from napari_spineseg.core.sagittal import SagittalSlices

        turn = scan.grid.to_orientation()
        self._slices = SagittalSlices(scan.sagittal(), turn.grid.spacing, model.card.input)
        self._shape = scan.sagittal().shape
        self._stride = model.card.input.stride
        middle = len(self._slices) // 2
        self._engine = engine_for(model, torch.device("cpu"), "auto", lambda: self._slices.stack([middle]))
        self._kept: dict[tuple[int, tuple[int, int, int, int]], np.ndarray] = {}

    def __call__(self, box: Box) -> np.ndarray:
        """(channels, *shape of box) float32, 0 to 1, for a box of the sagittal array."""
        slices = list(range(box[0].start, box[0].stop))
        asked = sorted(
            {slices[round(n)] for n in np.linspace(0, len(slices) - 1, min(len(slices), _MOST_SLICES))}
        )
        window = self._window(box)
        seen = np.stack([self._probabilities(n, window) for n in asked], 1)
        seen = _cut(seen, window, box, self._slices.size, self._shape)
        return _between(seen, asked, slices)

    def _probabilities(self, index: int, window: tuple[int, int, int, int]) -> np.ndarray:
        key = index, window
        if key not in self._kept:
            import torch

            from napari_spineseg.core.device import threads, threads_for_one_slice
            from napari_spineseg.core.resample import Window

            top, bottom, left, right = window
            with torch.inference_mode(), threads(threads_for_one_slice()):
                images = self._slices.stack([index], Window(top, bottom, left, right))
                self._kept[key] = _softmax(self._engine(images)[0])
            if len(self._kept) > 64:
                del self._kept[next(iter(self._kept))]
        return self._kept[key]

    def _window(self, box: Box) -> tuple[int, int, int, int]:
        """Rows and columns of the network's grid around the box, multiples of its stride."""
        out = []
        for axis in (1, 2):
            scale = self._slices.size[axis - 1] / self._shape[axis]
            margin = _CONTEXT_MM / self._slices.working_spacing[axis]
            low = max(0.0, box[axis].start * scale - margin) // self._stride * self._stride
            high = -(-(box[axis].stop * scale + margin) // self._stride) * self._stride
            out += [int(low), min(int(high), self._slices.padded[axis - 1])]
        return tuple(out)


def _softmax(logits: torch.Tensor) -> np.ndarray:
    return logits.softmax(0).numpy()


def _cut(
    seen: np.ndarray,
    window: tuple[int, int, int, int],
    box: Box,
    size: tuple[int, int],
    shape: tuple[int, int, int],
) -> np.ndarray:
    """Pixels of the scan inside of `box`, from (channels, slices, H, W) on the network's grid."""
    for axis, first in ((1, window[0]), (2, window[2])):
        at = (np.arange(box[axis].start, box[axis].stop) + 0.5) * size[axis - 1] / shape[axis] - 0.5 - first
        seen = np.take(seen, np.clip(np.round(at).astype(int), 0, seen.shape[axis + 1] - 1), axis + 1)
    return seen


def _between(seen: np.ndarray, asked: list[int], wanted: list[int]) -> np.ndarray:
    """All slices from those that were computed, linear between them."""
    at = np.interp(wanted, asked, np.arange(len(asked)))
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(asked) - 1)
    share = (at - low).astype(np.float32)[None, :, None, None]
    return seen[:, low] * (1 - share) + seen[:, high] * share
