"""One thick slice on its finer grid: shapes are painted onto it, then it is averaged.

Averaging the fine planes of a slice gives the partial volume of thick slices; soft edges one
pixel wide give it in the plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_spineseg.grid import Box
from napari_spineseg.synthesis.phantom.shapes import Frame, Points
from napari_spineseg.synthesis.phantom.tissues import Tissue, brightness, texture


@dataclass(eq=False)
class Canvas:
    """A slab of fine planes in RAS space.

    Attributes
    ----------
    x, z, y
        Positions in mm of the planes (rising), rows (falling: superior first) and columns
        (falling: anterior first); 1D float32.
    textures
        Fields of unit standard deviation, (rows, columns), one a kind of texture.
    image, labels
        (planes, rows, columns): brightness, and `levels` labels.
    """

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray
    sequence: str
    textures: Mapping[str, np.ndarray]
    image: np.ndarray = field(init=False)
    labels: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Start with unlabelled air."""
        shape = (len(self.x), len(self.z), len(self.y))
        self.image = np.zeros(shape, np.float32)
        self.labels = np.zeros(shape, np.uint16)
        self._edge = np.float32(max(abs(self.y[0] - self.y[-1]) / max(len(self.y) - 1, 1), 0.6))

    def thin(self) -> Canvas:
        """A canvas of the middle plane only, for what hardly changes within a slice."""
        return Canvas(self.x.mean(keepdims=True), self.z, self.y, self.sequence, self.textures)

    @property
    def everywhere(self) -> Box:
        """The whole slab."""
        return slice(None), slice(None), slice(None)

    def region(self, low: np.ndarray, high: np.ndarray) -> Box | None:
        """Index ranges of the world box from `low` to `high` (x, y, z in mm); None if it misses the slab."""
        i0, i1 = np.searchsorted(self.x, (low[0], high[0]))
        r0, r1 = np.searchsorted(-self.z, (-high[2], -low[2]))
        c0, c1 = np.searchsorted(-self.y, (-high[1], -low[1]))
        if i0 == i1 or r0 == r1 or c0 == c1:
            return None
        return slice(i0, i1), slice(r0, r1), slice(c0, c1)

    def points(self, region: Box) -> Points:
        """World coordinates (x, y, z) of a region, broadcasting to (planes, rows, columns)."""
        i, r, c = region
        return self.x[i, None, None], self.y[None, None, c], self.z[None, r, None]

    def around(self, frame: Frame, low: tuple, high: tuple) -> tuple[Box, Points] | None:
        """The region around a local box of `frame`, with its local coordinates; None if out of view."""
        region = self.region(*frame.box(low, high))
        return None if region is None else (region, frame.local(self.points(region)))

    def colour(self, tissue: Tissue, region: Box) -> np.ndarray:
        """Brightness of `tissue` with its texture, (rows, columns) of the region."""
        depth, kind = texture(tissue)
        mean = np.float32(brightness(tissue, self.sequence))
        if kind == "smooth" or depth == 0:
            return mean
        return mean * np.maximum(1 + np.float32(depth) * self.textures[kind][region[1], region[2]], 0.2)

    def paint(
        self,
        region: Box,
        distance: np.ndarray,
        tissue: Tissue | np.ndarray,
        opacity: float = 1.0,
        soft: float = 0.0,
    ) -> None:
        """Cover the inside of a shape with a tissue (or given brightness).

        Parameters
        ----------
        distance
            Signed distance in mm, broadcasting to the region.
        opacity
            1 hides what was there.
        soft
            Width of the edge in mm where that is more than a pixel.
        """
        edge = max(self._edge, np.float32(soft))
        alpha = np.clip(np.float32(0.5) - distance / edge, 0, 1) * np.float32(opacity)
        colour = self.colour(tissue, region) if isinstance(tissue, Tissue) else tissue
        patch = self.image[region]
        patch += alpha * (colour - patch)

    def mark(self, region: Box, distance: np.ndarray, label: int) -> None:
        """Label the inside of a shape."""
        patch = self.labels[region]
        patch[np.broadcast_to(distance, patch.shape) < 0] = label

    def average(self) -> np.ndarray:
        """(rows, columns) brightness of the thick slice."""
        return self.image.mean(axis=0)

    def majority(self) -> np.ndarray:
        """(rows, columns) commonest label of each thick voxel; 0 where less than half of it is labelled."""
        best = np.zeros(self.labels.shape[1:], np.uint16)
        most = np.zeros(best.shape, int)
        for label in np.unique(self.labels[self.labels > 0]):
            count = np.count_nonzero(self.labels == label, axis=0)
            best[count > most] = label
            most = np.maximum(most, count)
        best[2 * np.count_nonzero(self.labels, axis=0) < len(self.x)] = 0
        return best
