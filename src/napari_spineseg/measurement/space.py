"""The labels as the patient lies: sagittal slices, millimetres, and where the scan ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cc3d
import numpy as np
from scipy import ndimage

from napari_spineseg.anatomy import CANAL_LABEL, Structure, structure_of
from napari_spineseg.grid import Box
from napari_spineseg.measurement.figures import Point
from napari_spineseg.scan import Segmentation

# Faces of the sagittal grid: the first and the last slice, row and column.
_COARSE = 2.0
_FACES = (("left", "right"), ("upper", "lower"), ("front", "back"))


@dataclass(frozen=True)
class Missing:
    """What cannot be measured, and why, in one sentence."""

    reason: str


@dataclass(frozen=True, eq=False)
class Frame:
    """Axes of one level: `u` to its right, `v` to its front, `w` upward, unit vectors in RAS mm."""

    origin: np.ndarray
    u: np.ndarray
    v: np.ndarray
    w: np.ndarray

    def world(self, front: float, up: float, right: float = 0.0) -> np.ndarray:
        """(3,) RAS mm of a place given in mm along the axes."""
        return self.origin + right * self.u + front * self.v + up * self.w

    def local(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) mm to the right, front and top of RAS `points`."""
        return (points - self.origin) @ np.stack([self.u, self.v, self.w], 1)


def axes(origin: np.ndarray, right: np.ndarray, up: np.ndarray) -> Frame:
    """Axes with `u` to the right and `w` as near to `up` as can be."""
    u = right / np.linalg.norm(right)
    w = up - (up @ u) * u
    w /= np.linalg.norm(w)
    return Frame(origin, u, np.cross(w, u), w)


# Shares of a label: with less than this in one piece it is a torn one; less than that beside it is dust.
_MAIN_PIECE, _LOOSE_PIECE = 0.85, 0.03


def main_piece(mask: np.ndarray) -> tuple[np.ndarray, str] | None:
    """The largest piece of a mask that is not empty, and a caution if others are lost with it.

    None where no piece holds nearly all of it.
    """
    pieces = cc3d.connected_components(mask, connectivity=18)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    share = sizes.max() / sizes.sum()
    if share < _MAIN_PIECE:
        return None
    caution = "" if share > 1 - _LOOSE_PIECE else "Loose pieces carry this label; the largest was measured."
    return pieces == sizes.argmax(), caution


@dataclass(frozen=True, eq=False)
class Space:
    """Labels in sagittal orientation.

    Attributes
    ----------
    labels
        (slices, rows, columns): slices to the right, rows downward, columns to the back. A view.
    affine
        (4, 4) index to RAS mm.
    boxes
        The smallest box around each label.
    tumours
        Labels of the tumours that lie in each vertebra.
    """

    labels: np.ndarray
    affine: np.ndarray
    boxes: dict[int, Box]
    tumours: dict[int, list[int]] = field(default_factory=dict)
    inverse: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Keep the way back from millimetres to indices."""
        object.__setattr__(self, "inverse", np.linalg.inv(self.affine))

    @property
    def spacing(self) -> np.ndarray:
        """(3,) mm from slice to slice, row to row, column to column."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def down(self) -> np.ndarray:
        """(3,) unit step from row to row."""
        return self.affine[:3, 1] / self.spacing[1]

    @property
    def back(self) -> np.ndarray:
        """(3,) unit step from column to column."""
        return self.affine[:3, 2] / self.spacing[2]

    @property
    def right(self) -> np.ndarray:
        """(3,) unit vector square to the slices, towards the next one."""
        across = np.cross(self.down, self.back)
        across /= np.linalg.norm(across)
        return across if across @ self.affine[:3, 0] > 0 else -across

    @property
    def thickness(self) -> float:
        """mm between slices, square to them."""
        return float(abs(self.affine[:3, 0] @ self.right))

    def world(self, index: np.ndarray) -> np.ndarray:
        """(n, 3) RAS mm of (n, 3) indices."""
        return index @ self.affine[:3, :3].T + self.affine[:3, 3]

    def index(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) indices of (n, 3) RAS mm."""
        return points @ self.inverse[:3, :3].T + self.inverse[:3, 3]

    def mask(self, label: int) -> np.ndarray:
        """Where a label is, within its box."""
        return self.labels[self.boxes[label]] == label

    def bone(self, label: int) -> tuple[np.ndarray, Box]:
        """Where a vertebra is, tumours in it included, and the box around that."""
        inside = [label, *self.tumours.get(label, [])]
        boxes = [self.boxes[n] for n in inside]
        box = tuple(
            slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes)) for axis in range(3)
        )
        return np.isin(self.labels[box], inside), box

    @property
    def coarse(self) -> str:
        """What is to be said where voxels are far apart in the sagittal plane; nothing where they are not."""
        widest = float(self.spacing[1:].max())
        if widest <= _COARSE:
            return ""
        return f"Voxels are {widest:.1f} mm apart in the sagittal plane: uncertain by a millimetre or two."

    def edges(self, mask: np.ndarray, box: Box, axes: Sequence[int] = (0, 1, 2)) -> list[str]:
        """Which edges of the scan a mask within a box reaches: "left", "upper", ..."""
        return [name for name, _ in self._faces(mask, box, axes)]

    def cut_area(self, mask: np.ndarray, box: Box) -> float:
        """mm² of a mask that lie on the edges of the scan."""
        steps = np.abs(np.linalg.det(self.affine[:3, :3])) / self.spacing
        return sum(float(n * steps[axis]) for axis in range(3) for _, n in self._faces(mask, box, (axis,)))

    def _faces(self, mask: np.ndarray, box: Box, axes: Sequence[int]) -> Iterator[tuple[str, int]]:
        """Edges that are reached, with how many voxels of the mask lie there."""
        for axis in axes:
            for end, name in enumerate(_FACES[axis]):
                there = box[axis].stop == self.labels.shape[axis] if end else box[axis].start == 0
                touching = int(mask.take(-1 if end else 0, axis).sum()) if there else 0
                if touching:
                    yield name, touching


def to_space(segmentation: Segmentation) -> Space:
    """Turn a segmentation to sagittal orientation and find its labels; no voxel is resampled."""
    turn = segmentation.grid.to_orientation()
    labels = turn.apply(segmentation.labels)
    boxes = {n + 1: box for n, box in enumerate(ndimage.find_objects(labels)) if box is not None}
    tumours: dict[int, list[int]] = {}
    for label, box in boxes.items():
        if structure_of(label) is Structure.TUMOUR:
            tumours.setdefault(_owner(labels, label, box), []).append(label)
    return Space(labels, turn.grid.affine, boxes, tumours)


def _owner(labels: np.ndarray, label: int, box: Box) -> int:
    """The vertebra that a tumour touches most; 0 for none."""
    wide = tuple(slice(max(0, b.start - 1), b.stop + 1) for b in box)
    part = labels[wide]
    around = ndimage.binary_dilation(part == label) & (part > 0) & (part < CANAL_LABEL)
    return int(np.bincount(part[around]).argmax()) if around.any() else 0


def cut_off(edges: Sequence[str]) -> str:
    """In words, by which edges of the scan something is cut off.

    >>> cut_off(["upper"]), cut_off(["left", "right"])
    ('cut off by the upper edge of the scan', 'cut off by the left and right edges of the scan')
    """
    return f"cut off by the {' and '.join(edges)} edge{'s' if len(edges) > 1 else ''} of the scan"


def point(place: np.ndarray) -> Point:
    """A place as a mark wants it."""
    return tuple(float(value) for value in place)
