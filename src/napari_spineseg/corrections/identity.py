"""Which scan it is: the same one is recognised again, wherever its file has gone."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_spineseg.errors import StoreError
from napari_spineseg.grid import Grid
from napari_spineseg.scan import Scan, Segmentation

# Files keep affines in single or double precision: what differs less, mm, is the same place.
_DIGITS = 3
_SAME_PLACE = 1e-2


@dataclass(frozen=True)
class ScanIdentity:
    """What makes a scan this one.

    Attributes
    ----------
    sha256
        Of the voxels and the grid. The container does not matter: a scan that was converted, renamed or
        compressed anew is the same scan.
    shape
        Voxels along (i, j, k).
    affine
        Rows of the 4 x 4 matrix, index to RAS mm.
    name, sequence, source
        What it was called when it came, what kind of MR it looked like, and the file it came from.
    """

    sha256: str
    shape: tuple[int, int, int]
    affine: tuple[tuple[float, ...], ...]
    name: str
    sequence: str = "unknown"
    source: str | None = None

    @property
    def grid(self) -> Grid:
        """Shape and affine."""
        return Grid(self.shape, np.array(self.affine))

    @property
    def key(self) -> str:
        """A folder's name for it: readable, and its own."""
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", self.name).strip(".-")[:48] or "scan"
        return f"{readable}-{self.sha256[:12]}"

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> ScanIdentity:
        """The inverse of `as_dict`.

        Raises
        ------
        StoreError
            If something is missing.
        """
        try:
            return cls(
                str(content["sha256"]),
                tuple(int(n) for n in content["shape"]),
                tuple(tuple(float(v) for v in row) for row in content["affine"]),
                str(content["name"]),
                str(content.get("sequence", "unknown")),
                content.get("source"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"The description of a scan is damaged: {error!r}.") from error


def identify(scan: Scan) -> ScanIdentity:
    """The identity of `scan`."""
    return ScanIdentity(
        digest_of(scan),
        tuple(int(n) for n in scan.voxels.shape),
        tuple(tuple(float(v) for v in row) for row in scan.affine),
        scan.name,
        scan.sequence,
        str(scan.source) if scan.source else None,
    )


def digest_of(scan: Scan) -> str:
    """SHA-256 of shape, affine (to a micrometre) and voxels (as float32, in the file's axis order)."""
    digest = hashlib.sha256(repr(tuple(int(n) for n in scan.voxels.shape)).encode())
    # Adding zero turns -0.0 into 0.0.
    digest.update(np.ascontiguousarray(np.round(scan.affine, _DIGITS) + 0.0, "<f8").tobytes())
    for plane in scan.voxels:
        digest.update(np.ascontiguousarray(np.nan_to_num(plane.astype("<f4"))).tobytes())
    return digest.hexdigest()


def fit_to(identity: ScanIdentity, segmentation: Segmentation) -> Segmentation:
    """`segmentation` in the axis order of the scan.

    Raises
    ------
    StoreError
        If it lies on another grid.
    """
    fitted = segmentation.on_axes_of(identity.grid, _SAME_PLACE)
    if fitted is None:
        raise StoreError(
            f"{segmentation.name}: is not on the grid of the scan {identity.name} "
            f"({segmentation.labels.shape} against {identity.shape} voxels, or another place in space)."
        )
    return fitted
