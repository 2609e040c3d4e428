"""Scan and Segmentation: voxels with their geometry, the only things that travel between rooms."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_spineseg.anatomy import Numbering, Scheme, names_of
from napari_spineseg.errors import ScanError
from napari_spineseg.grid import Grid

Sequence = Literal["T1", "T2", "STIR", "unknown"]

LEAST_VOXEL_MM3 = 1e-9
"""Volume of a voxel below which an affine counts as singular: nothing that is scanned is so small."""

_HASHED = "voxels as little-endian uint16; axes to the right, downward, to the back; the last runs fastest"


@dataclass(frozen=True, eq=False)
class Scan:
    """One MR volume on its own grid.

    Attributes
    ----------
    voxels
        (i, j, k) in the file's own axis order, any real dtype, finite where it matters.
    affine
        (4, 4), index to RAS mm.
    name
        Stem of the file, or the folder's name; what layers and outputs are called.
    sequence
        What kind of MR it looks like.
    source
        The file or folder it came from, None for a phantom.
    header
        What the file said and a writer may want back. JSON-able.
    warnings
        Sentences a person should see once.
    history
        Preprocessing steps that led here, each a JSON-able mapping.
    """

    voxels: np.ndarray
    affine: np.ndarray
    name: str = "scan"
    sequence: Sequence = "unknown"
    source: Path | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    history: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be placed in space."""
        _check(self.voxels, self.affine, self.name)

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        return Grid(self.voxels.shape, self.affine)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel spacing along (i, j, k), mm."""
        return self.grid.spacing

    @property
    def orientation(self) -> str:
        """Closest anatomical axes of (i, j, k), for instance "RAS"."""
        return self.grid.orientation

    def sagittal(self) -> np.ndarray:
        """(slices, height, width): sagittal slices first, superior up, anterior left.

        A view of `voxels`; `scan.grid.to_orientation().invert` brings arrays back.
        """
        return self.grid.to_orientation().apply(self.voxels)

    def with_voxels(self, voxels: np.ndarray, **changes: Any) -> Scan:
        """The same scan with other voxels (and whatever else changed)."""
        return replace(self, voxels=voxels, **changes)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels on a scan's grid.

    Attributes
    ----------
    labels
        (i, j, k) uint16, in the axis order of the scan it belongs to.
    affine
        (4, 4), the scan's.
    scheme
        What the numbers mean, see `anatomy`.
    numbering
        How vertebra numbers translate to names.
    provenance
        Model, settings, versions: what goes into the JSON beside the file. JSON-able.
    """

    labels: np.ndarray
    affine: np.ndarray
    name: str = "segmentation"
    scheme: Scheme = "levels"
    numbering: Numbering = Numbering()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be placed in space."""
        _check(self.labels, self.affine, self.name)

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        return Grid(self.labels.shape, self.affine)

    def on_axes_of(self, grid: Grid, tolerance_mm: float) -> Segmentation | None:
        """The same labels in the axis order of `grid`; None where their voxels are not at its places.

        Programs keep one volume with its axes in another order, or running the other way.
        """
        if self.grid.same_place_as(grid, tolerance_mm):
            return self
        turn = self.grid.to_orientation(tuple(grid.orientation))
        if not turn.grid.same_place_as(grid, tolerance_mm):
            return None
        return replace(self, labels=np.ascontiguousarray(turn.apply(self.labels)), affine=grid.affine)

    def found(self) -> dict[int, int]:
        """Voxels of each label that is there, background left out."""
        return count_labels(self.labels)

    def checksum(self) -> dict[str, Any]:
        """What these labels are known again by, whatever format and order of axes a file keeps them in.

        Returns
        -------
        dict
            JSON-able: `sha256`, `shape`, and what it is `of` in words.
        """
        shown = self.grid.to_orientation().apply(self.labels)
        digest = hashlib.sha256()
        for plane in shown:
            digest.update(np.ascontiguousarray(plane, "<u2"))
        return {"sha256": digest.hexdigest(), "shape": [int(n) for n in shown.shape], "of": _HASHED}

    def names(self) -> dict[int, str]:
        """Names of the labels that are there."""
        return names_of(self.found(), self.scheme, self.numbering)


def count_labels(labels: np.ndarray) -> dict[int, int]:
    """Voxels of each label that is there, background left out, in the order of the numbers.

    Parameters
    ----------
    labels
        Any shape, whole numbers from 0 to 65535.

    Examples
    --------
    >>> count_labels(np.array([[0, 3], [3, 201]]))
    {3: 2, 201: 1}
    """
    counts = np.zeros(65536, np.int64)
    flat = labels.ravel(order="K")
    # Piece by piece, because `bincount` makes 64-bit integers of what it gets; six times as fast as `unique`.
    for start in range(0, flat.size, 1 << 20):
        counts += np.bincount(flat[start : start + (1 << 20)], minlength=65536)
    return {int(label): int(counts[label]) for label in np.flatnonzero(counts) if label}


def _check(voxels: np.ndarray, affine: np.ndarray, name: str) -> None:
    """Refuse what no later step could put right."""
    if voxels.ndim != 3 or 0 in voxels.shape:
        raise ScanError(f"{name}: expected a volume with three axes, got shape {voxels.shape}.")
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        raise ScanError(f"{name}: the affine is not a finite 4 x 4 matrix.")
    if abs(np.linalg.det(affine[:3, :3])) < LEAST_VOXEL_MM3:
        raise ScanError(f"{name}: the affine is singular, so the voxels have no place in space.")
