"""Raw voxels -> voxels that every later step can work on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spineseg.io.guard import refuse
from napari_spineseg.io.volume import Volume


def settle(volume: Volume, path: Path) -> Volume:
    """Native byte order, a dtype numpy and torch both compute with, every voxel finite.

    NaN and infinities become the lowest finite value (background); a warning says so.

    Raises
    ------
    ScanError
        If no voxel is finite.
    """
    voxels = narrow(volume.voxels)
    warnings = list(volume.warnings)
    if voxels.dtype.kind == "f":
        voxels, lost = _finite(voxels, path)
        if lost:
            share = 100 * lost / voxels.size
            warnings.append(f"{lost} voxels ({share:.3g} %) are not numbers and count as background.")
    if voxels.min() == voxels.max():
        warnings.append(f"Every voxel has the same value ({voxels.flat[0]:g}): the image is constant.")
    return Volume(voxels, volume.affine, volume.header, warnings)


def narrow(voxels: np.ndarray) -> np.ndarray:
    """The same values in native byte order and one of uint8, int8, int16, uint16, int32, float32, float64.

    Axis order in memory is kept; no copy where nothing changes.
    """
    if voxels.dtype == bool:
        return voxels.view(np.uint8)
    if voxels.dtype == np.float16:
        return voxels.astype(np.float32)
    if voxels.dtype.kind in "iu" and voxels.dtype.itemsize >= 4:
        limits = np.iinfo(np.int32)
        low, high = int(voxels.min()), int(voxels.max())
        fits = limits.min <= low and high <= limits.max
        return voxels.astype(np.int32 if fits else np.float64, copy=False)
    if not voxels.dtype.isnative:
        return voxels.astype(voxels.dtype.newbyteorder("="))
    return voxels


def _finite(voxels: np.ndarray, path: Path) -> tuple[np.ndarray, int]:
    """Voxels with a finite background in place of NaN and infinities, and how many those were."""
    good = np.isfinite(voxels)
    lost = int(voxels.size - np.count_nonzero(good))
    if lost == voxels.size:
        refuse(path, "holds no finite voxel (all NaN or infinite); export it again")
    if lost:
        voxels = np.where(good, voxels, voxels[good].min())
    return voxels, lost
