"""Where the spine can be: a few whole slices tell which part of the others is worth looking at.

The whole slices are among those that have to be predicted anyway, so that looking first costs
nothing. Everything that belongs to a spine hangs together within a slice's distance of the midline,
so what is between two slices without any of it needs no look at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import cc3d
import numpy as np
import torch

from napari_spineseg.core.resample import Window

# Whole slices lie this far apart: closer than half a vertebra is wide, so that none is missed.
_APART_MM = 16.0
# The spine may reach this much further in the slices between.
_MARGIN_MM = 20.0
# And so much further down they have to show: whether a body is the lowest lumbar one or the first of the
# sacrum is seen by what comes below it. Without the sacrum two of six patients lost a part of L5.
_BELOW_MM = 50.0
# Smaller patches are noise as far as the search is concerned: a pedicle's cut measures more.
_LEAST_MM2 = 50.0
# Not worth the trouble unless at least this share of a slice is saved.
_WORTHWHILE = 0.15
_NOTHING = Window(0, 0, 0, 0)


class Foreground:
    """Plans which slices are looked at in full, and which part of the others.

    Parameters
    ----------
    indices
        Slices that are to be predicted, ascending.
    spacing
        (between slices, between rows, between columns), mm; the latter two on the network's grid.
    padded
        (height, width) of the network's input.
    stride
        What windows are aligned to, so that the network's poolings fall on the same pixels as in
        a whole slice.

    Attributes
    ----------
    first
        Slices to look at in full.
    """

    def __init__(
        self,
        indices: Sequence[int],
        spacing: tuple[float, float, float],
        padded: tuple[int, int],
        stride: int,
    ) -> None:
        self.spacing, self.padded, self.stride = spacing, padded, stride
        self.whole = Window(0, padded[0], 0, padded[1])
        step = max(1, int(_APART_MM / (spacing[0] * _gap(indices))))
        self.first = sorted({*indices[::step], indices[-1]})
        self.others = sorted({*indices} - {*self.first})
        self._found: dict[int, Window] = {}
        self._window = self.whole

    def saw(self, index: int, foreground: torch.Tensor | None, origin: tuple[int, int]) -> None:
        """Take note of what was found in a slice: an (h, w) mask that begins at `origin`, or nothing."""
        window = _NOTHING if foreground is None else self._extent(foreground.cpu().numpy())
        self._found[index] = window if window.empty else window.moved(*origin)

    def window(self) -> Window:
        """Where to look in the other slices: around what was found and a way below it, or everywhere."""
        around = _NOTHING
        for index in self.first:
            around = around.union(self._found[index])
        if around.empty:
            return self.whole
        rows, columns = (round(_MARGIN_MM / mm) for mm in self.spacing[1:])
        lower = around.moved(round((_BELOW_MM - _MARGIN_MM) / self.spacing[1]), 0)
        around = around.union(lower).grown(rows, columns, *self.padded).aligned(self.stride)
        saved = 1 - np.prod(around.shape) / np.prod(self.padded)
        self._window = around if saved > _WORTHWHILE else self.whole
        return self._window

    def worth_a_look(self) -> list[int]:
        """Slices between those seen, without those that lie between two empty ones.

        All of them, if nothing at all was found: better slow than blind.
        """
        if all(window.empty for window in self._found.values()):
            return self.others
        return [i for i in self.others if not all(self._found[k].empty for k in self._beside(i))]

    def cut(self) -> list[int]:
        """Slices whose foreground reaches a border of the window, and so may go on behind it."""
        return [i for i in self.others if i in self._found and self._touches(self._found[i])]

    def _beside(self, index: int) -> tuple[int, int]:
        at = bisect_left(self.first, index)
        return self.first[at - 1], self.first[at]

    def _touches(self, found: Window) -> bool:
        window = self._window
        return not found.empty and (
            (found.top <= window.top > 0)
            or (found.left <= window.left > 0)
            or (found.bottom >= window.bottom < self.padded[0])
            or (found.right >= window.right < self.padded[1])
        )

    def _extent(self, mask: np.ndarray) -> Window:
        """The window around the patches that are not mere specks."""
        patches, count = cc3d.connected_components(mask, connectivity=8, return_N=True)
        statistics = cc3d.statistics(patches)
        large = statistics["voxel_counts"] * self.spacing[1] * self.spacing[2] >= _LEAST_MM2
        out = _NOTHING
        for k in range(1, count + 1):
            if large[k]:
                rows, columns = statistics["bounding_boxes"][k]
                out = out.union(Window(rows.start, rows.stop, columns.start, columns.stop))
        return out


def _gap(indices: Sequence[int]) -> int:
    """Slices from one index to the next."""
    return indices[1] - indices[0] if len(indices) > 1 else 1
