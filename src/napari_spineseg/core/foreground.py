"""Where the spine can be: a few whole slices tell which part of the others is worth looking at."""

from __future__ import annotations

from collections.abc import Container, Mapping

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.core.resample import Window
from napari_spineseg.core.sagittal import SagittalSlices

# Whole slices lie this far apart: closer than half a vertebra is wide, so that none is missed.
_APART_MM = 16.0
# The spine may reach this much further in the slices between.
_MARGIN_MM = 20.0
# Not worth the trouble unless at least this share of a slice is saved.
_WORTHWHILE = 0.15


class CoarsePass:
    """Which slices are looked at in full first, and which part of the others then is.

    Attributes
    ----------
    first
        Slices to predict in full.
    """

    def __init__(self, slices: SagittalSlices, spec: InputSpec, enabled: bool = True) -> None:
        self.padded, self.stride = slices.padded, spec.stride
        height_mm = slices.spacing[1] * slices.volume.shape[1]
        width_mm = slices.spacing[2] * slices.volume.shape[2]
        self.margin = (
            round(_MARGIN_MM * slices.size[0] / height_mm),
            round(_MARGIN_MM * slices.size[1] / width_mm),
        )
        step = max(1, int(_APART_MM / slices.spacing[0]))
        last = len(slices) - 1
        self.first: Container[int] = (
            list(range(last + 1)) if not enabled else sorted({*range(0, last, step), last})
        )

    def window(self, found: Mapping[int, Window]) -> Window:
        """Where to look in the slices between: around all that was found, or everywhere."""
        whole = Window(0, self.padded[0], 0, self.padded[1])
        around = Window(0, 0, 0, 0)
        for window in found.values():
            around = around.union(window)
        if around.empty:
            return whole
        around = self._on_stride(around.grown(*self.margin, *self.padded))
        area = (around.bottom - around.top) * (around.right - around.left)
        return around if area < (1 - _WORTHWHILE) * self.padded[0] * self.padded[1] else whole

    def cut(self, found: Window, window: Window) -> bool:
        """Whether what was `found` reaches a border of `window` that is not the slice's own."""
        if found.empty:
            return False
        return (
            (found.top <= window.top > 0)
            or (found.left <= window.left > 0)
            or (found.bottom >= window.bottom < self.padded[0])
            or (found.right >= window.right < self.padded[1])
        )

    def _on_stride(self, window: Window) -> Window:
        """A little larger, so that the network's poolings fall on the same pixels as in a whole slice."""
        stride = self.stride
        return Window(
            window.top // stride * stride,
            -(-window.bottom // stride) * stride,
            window.left // stride * stride,
            -(-window.right // stride) * stride,
        )
