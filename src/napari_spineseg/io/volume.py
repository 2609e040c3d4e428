"""What every format's reader hands on: raw voxels in the file's own axes, and where they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spineseg.errors import SeveralScansError
from napari_spineseg.io.guard import refuse, shown
from napari_spineseg.scan import LEAST_VOXEL_MM3


@dataclass
class Volume:
    """One volume as a file holds it.

    Attributes
    ----------
    voxels
        (i, j, k), any real dtype, in the file's own axis order.
    affine
        (4, 4) float64, index to RAS mm.
    header
        JSON-able facts of the file. `format` is always there; `spineseg` is what our own writer
        left (scheme and numbering of labels).
    warnings
        Sentences for a person.
    """

    voxels: np.ndarray
    affine: np.ndarray
    header: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def lps_affine(directions: np.ndarray, spacing: Sequence[float], origin: Sequence[float]) -> np.ndarray:
    """Affine to RAS mm from what DICOM and ITK say in LPS.

    Parameters
    ----------
    directions
        (3, 3), column a = unit vector of array axis a, LPS.
    spacing, origin
        mm; `origin` is the centre of the first voxel, LPS.
    """
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(directions, float) * np.asarray(spacing, float)
    affine[:3, 3] = origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def check_affine(path: Path, affine: np.ndarray) -> None:
    """Refuse an affine that puts no voxel anywhere.

    Raises
    ------
    ScanError
        If it is not finite, or an axis has no length, or axes coincide.
    """
    if not np.isfinite(affine).all():
        refuse(path, "has a position or spacing that is not a number; export it again")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    sizes = " x ".join(f"{v:g}" for v in lengths)
    impossible = f"has an impossible voxel spacing ({sizes} mm); export it again"
    if lengths.min() < 1e-6 or lengths.max() > 1e4:
        refuse(path, impossible)
    # Relative to the spacing, so that small voxels are not called flat.
    if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
        refuse(path, "has a singular affine: two of its axes point the same way; export it again")
    if abs(np.linalg.det(affine[:3, :3])) < LEAST_VOXEL_MM3:
        refuse(path, f"{impossible}, in millimetres")
    if np.abs(affine[:3, 3]).max() > 1e6:
        refuse(path, "lies more than a kilometre from the scanner's centre; export it again")


def pick_volume(path: Path, count: int, volume: int | None) -> int:
    """Index of the one volume to read of `count`.

    Raises
    ------
    ScanError
        If there are several and none was picked, or the pick is not there.
    """
    if volume is None:
        if count > 1:
            how = f"pick one with --volume (0 to {count - 1})"
            raise SeveralScansError(shown(path), f"{count} volumes", "--volume 0", how)
        return 0
    if count == 1 and volume != 0:
        refuse(path, f"holds one volume and has no volume {volume}; leave --volume out")
    if not 0 <= volume < count:
        refuse(path, f"has no volume {volume}; --volume may be 0 to {count - 1}")
    return volume


def left_note(text: str) -> dict[str, Any] | None:
    """What our own writer left in a header, None where it is not that.

    >>> left_note('{"kind":"labels","scheme":"levels"}')["scheme"]
    'levels'
    """
    try:
        note = json.loads(text)
    except ValueError:
        return None
    return note if isinstance(note, dict) and note.get("kind") in ("labels", "scan") else None
