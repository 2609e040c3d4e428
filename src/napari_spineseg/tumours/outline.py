"""The outline of one tumour, as large a part of the volume as it needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_spineseg.grid import Box, enclosing, relative_to


@dataclass(frozen=True, eq=False)
class Outline:
    """What a click found.

    Attributes
    ----------
    box
        Where it is in the sagittal view.
    mask
        (shape of box) bool.
    by_model
        Whether the model marked it as it is, before any click to fix.
    """

    box: Box
    mask: np.ndarray
    by_model: bool

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.mask.any())

    def paint(self, labels: np.ndarray, box: Box) -> None:
        """Set `labels`, which are those of `box`, to 1 where it is."""
        common = tuple(
            slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, self.box, strict=True)
        )
        if any(span.stop <= span.start for span in common):
            return
        labels[relative_to(common, box)][self.mask[relative_to(common, self.box)]] = 1

    def with_rest_of(self, other: Outline) -> Outline:
        """It, and what of `other` lies outside its box."""
        box = enclosing(self.box, other.box)
        labels = np.zeros([span.stop - span.start for span in box], np.uint8)
        other.paint(labels, box)
        labels[relative_to(self.box, box)] = self.mask
        return Outline(box, labels > 0, self.by_model)
