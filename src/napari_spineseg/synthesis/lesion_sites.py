"""Where a lesion can be: places read off the labels of a slab.

A slab is any stack of sagittal slices with their labels and positions; rows run down, columns to
the back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import Structure
from napari_spineseg.grid import Box
from napari_spineseg.synthesis.lesion_shapes import Points

Centre = tuple[float, float, float]
# Places are looked for on a grid of about this.
_STEP_MM = 1.5
_FAR_MM = 999.0


@dataclass(frozen=True, eq=False)
class Slab:
    """Slices to paint in.

    Attributes
    ----------
    image
        (slices, height, width) float32, about 0 to 1.
    structures
        (slices, height, width) uint8, `Structure`.
    x_mm
        (slices,) position of each slice; they need not be evenly spaced, nor rise.
    pixel_mm
        In-plane pixel.
    origin_mm
        y and z of the first pixel.
    """

    image: np.ndarray
    structures: np.ndarray
    x_mm: np.ndarray
    pixel_mm: float
    origin_mm: tuple[float, float] = (0.0, 0.0)

    def points(self) -> Points:
        """Coordinates of the voxels, mm."""
        _, height, width = self.structures.shape
        y = self.origin_mm[0] + np.arange(height, dtype=np.float32) * self.pixel_mm
        z = self.origin_mm[1] + np.arange(width, dtype=np.float32) * self.pixel_mm
        return self.x_mm.astype(np.float32)[:, None, None], y[None, :, None], z[None, None, :]

    @property
    def step(self) -> int:
        """Every how many rows and columns one is looked at when places are looked for."""
        return max(1, round(_STEP_MM / self.pixel_mm))

    def window(self, centre: Centre, reach_mm: float) -> Box:
        """The voxels within `reach_mm` of a place: slices in one run, rows and columns."""
        near = np.flatnonzero(np.abs(self.x_mm - centre[0]) <= reach_mm)
        spans = [slice(int(near[0]), int(near[-1]) + 1) if len(near) else slice(0, 0)]
        for middle, start, size in zip(centre[1:], self.origin_mm, self.structures.shape[1:], strict=True):
            low, high = ((middle + side * reach_mm - start) / self.pixel_mm for side in (-1, 1))
            spans.append(slice(int(np.clip(low, 0, size)), int(np.clip(high + 1, 0, size))))
        return tuple(spans)

    def part(self, window: Box) -> Slab:
        """The slab of a window; its arrays are views."""
        origin = tuple(
            start + span.start * self.pixel_mm for start, span in zip(self.origin_mm, window[1:], strict=True)
        )
        return replace(
            self,
            image=self.image[window],
            structures=self.structures[window],
            x_mm=self.x_mm[window[0]],
            origin_mm=origin,
        )

    def place(self, index: int, row: float, column: float) -> Centre:
        """mm of a voxel."""
        return (
            float(self.x_mm[index]),
            self.origin_mm[0] + float(row) * self.pixel_mm,
            self.origin_mm[1] + float(column) * self.pixel_mm,
        )

    def distance(self, mask: np.ndarray) -> np.ndarray:
        """mm to the nearest voxel outside `mask`, slice by slice; beyond the slab counts as inside."""
        return np.stack([_to_outside(s, self.pixel_mm) for s in mask])


@dataclass(frozen=True)
class Wall:
    """Where the canal of one slice meets what is in front of it, at one row; pixels."""

    row: int
    front: int
    back: int


def bone_site(slab: Slab, index: int, rng: np.random.Generator, behind: bool = False) -> Centre | None:
    """A place inside a vertebra: in its body, or (`behind`) in its posterior elements."""
    structures = slab.structures[index, :: slab.step, :: slab.step]
    back, bone = _canal_back(structures), structures == Structure.VERTEBRA
    # Beside the canal, pedicles and facets belong to neither: there any bone will do.
    if back is not None:
        posterior = np.arange(structures.shape[1])[None] > back[:, None]
        bone = bone & (posterior if behind else ~posterior)
    return _one_of(slab, index, _distance(slab, bone) > (2 if behind else 4), rng)


def wall_site(slab: Slab, index: int, rng: np.random.Generator, against: Structure | None) -> Wall | None:
    """A row of the canal, and its extent; `against` a vertebra or a disc, or anything."""
    structures = slab.structures[index]
    canal = structures == Structure.CANAL
    rows = np.flatnonzero(canal.sum(1) * slab.pixel_mm > 6)
    if len(rows) < 10:
        return None
    reach = max(1, round(5 / slab.pixel_mm))
    for row in rng.permutation(rows[3:-3])[:40]:
        front = int(canal[row].argmax())
        back = int(len(canal[row]) - canal[row][::-1].argmax())
        before = structures[row, max(0, front - reach) : front]
        if against is None or (before == against).mean() > 0.2:
            return Wall(int(row), front, back)
    return None


def endplate_site(slab: Slab, index: int, rng: np.random.Generator) -> Centre | None:
    """A place where a vertebral body looks at a disc."""
    structures = slab.structures[index, :: slab.step, :: slab.step]
    disc = structures == Structure.DISC
    if not disc.any():
        return None
    facing = (structures == Structure.VERTEBRA) & (_distance(slab, ~disc) < 3.0)
    return _one_of(slab, index, facing, rng)


def facet_site(slab: Slab, index: int, rng: np.random.Generator) -> Centre | None:
    """A place beside bone behind the canal."""
    structures = slab.structures[index, :: slab.step, :: slab.step]
    back = _canal_back(structures)
    bone = structures == Structure.VERTEBRA
    if back is None or not bone.any():
        return None
    behind = np.arange(structures.shape[1])[None] > back[:, None] - 4 / (slab.step * slab.pixel_mm)
    return _one_of(slab, index, (structures == 0) & (_distance(slab, ~bone) < 2.0) & behind, rng)


def _canal_back(structures: np.ndarray) -> np.ndarray | None:
    """Column of the canal's back in each row, where there is none that of the nearest row; or None."""
    canal = structures == Structure.CANAL
    rows = np.flatnonzero(canal.any(1))
    if not len(rows):
        return None
    back = canal.shape[1] - 1 - canal[rows, ::-1].argmax(1)
    return np.interp(np.arange(len(canal)), rows, back)


def _distance(slab: Slab, mask: np.ndarray) -> np.ndarray:
    """mm to the nearest pixel outside a mask of every `step`th pixel."""
    return _to_outside(mask, slab.step * slab.pixel_mm)


def _to_outside(mask: np.ndarray, pixel_mm: float) -> np.ndarray:
    """mm from each pixel of (H, W) to the nearest outside the mask; far where all is inside."""
    if mask.all():
        return np.full(mask.shape, _FAR_MM, np.float32)
    # SciPy's, not `edt`'s: for windows this small, starting a thread would cost more than the work.
    return ndimage.distance_transform_edt(mask, sampling=pixel_mm).astype(np.float32)


def _one_of(slab: Slab, index: int, mask: np.ndarray, rng: np.random.Generator) -> Centre | None:
    spots = np.argwhere(mask)
    return slab.place(index, *(spots[rng.integers(len(spots))] * slab.step)) if len(spots) else None
