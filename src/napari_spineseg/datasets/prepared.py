"""Prepared volumes: what training reads. Sagittal, one in-plane spacing, uint8, one file a scan.

`values` is either an image (`kind="image"`, 0 to 255, each slice windowed on its own) or a map
of tissues (`kind="tissues"`, see `synthesis.tissues`), from which an image is drawn anew every
time it is used. Resampling is done once, here, and never in the training loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from napari_spineseg.core.inputs import resample_slices, slice_statistics
from napari_spineseg.errors import DatasetError
from napari_spineseg.grid import sagittal_affine

Kind = Literal["image", "tissues"]


@dataclass(frozen=True, eq=False)
class PreparedVolume:
    """One volume, ready to crop.

    Attributes
    ----------
    values
        (slices, height, width) uint8: grey values or tissue classes.
    structures
        (slices, height, width) uint8, `anatomy.Structure`; 255 where nobody labelled.
    slice_mm, spacing_mm
        Distance between slices, and in-plane pixel, mm.
    weights
        (slices, height, width) uint8, how much a voxel counts in training; None where all count 1.
    """

    name: str
    patient: str
    kind: Kind
    values: np.ndarray
    structures: np.ndarray
    slice_mm: float
    spacing_mm: float
    weights: np.ndarray | None = None

    @property
    def affine(self) -> np.ndarray:
        """(4, 4) index to RAS mm, as if the first voxel lay at the origin."""
        return sagittal_affine((self.slice_mm, self.spacing_mm, self.spacing_mm))

    def spread_slices(self, count: int) -> list[int]:
        """Indices of `count` slices at the most, evenly spread between the first and the last."""
        places = np.linspace(0, len(self.values) - 1, count + 2)[1:-1]
        return [int(i) for i in np.unique(places.round().astype(int))]

    def save(self, folder: Path) -> Path:
        """Write to `folder/<name>.npz`."""
        path = folder / f"{self.name}.npz"
        meta = {k: getattr(self, k) for k in ("name", "patient", "kind", "slice_mm", "spacing_mm")}
        arrays = {"values": self.values, "structures": self.structures}
        if self.weights is not None:
            arrays["weights"] = self.weights
        np.savez_compressed(path, **arrays, **meta)
        return path


def load_prepared(folder: Path) -> list[PreparedVolume]:
    """All prepared volumes of a folder, by name.

    Raises
    ------
    DatasetError
        If there are none.
    """
    volumes = [_load(path) for path in sorted(folder.glob("*.npz"))]
    if not volumes:
        raise DatasetError(f"{folder} holds no prepared volumes; make them with `spineseg dataset prepare`.")
    return volumes


def _load(path: Path) -> PreparedVolume:
    with np.load(path, allow_pickle=False) as file:
        return PreparedVolume(
            name=str(file["name"]),
            patient=str(file["patient"]),
            kind=str(file["kind"]),
            values=file["values"],
            structures=file["structures"],
            slice_mm=float(file["slice_mm"]),
            spacing_mm=float(file["spacing_mm"]),
            weights=file.get("weights"),
        )


def windowed(volume: np.ndarray) -> np.ndarray:
    """(slices, h, w) of any dtype to uint8, each slice between its 0.5 and 99.5 percentiles."""
    out = np.empty(volume.shape, np.uint8)
    for source, target in zip(volume, out, strict=True):
        slice_ = torch.from_numpy(np.ascontiguousarray(source, np.float32))
        low, high, *_ = slice_statistics(slice_)
        target[...] = ((slice_ - low) / max(high - low, 1e-6) * 255).clamp(0, 255).numpy()
    return out


def resized(volume: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Grey slices (slices, h, w) at another size, uint8."""
    return resample_slices(torch.from_numpy(volume).float(), size).round().byte().numpy()


def resized_labels(labels: np.ndarray, size: tuple[int, int], classes: Iterable[int]) -> np.ndarray:
    """Label slices at another size: each class resampled linearly, the largest share wins.

    Nearest would leave stairs of the coarse grid on the fine one, and a network learns stairs.
    """
    best = np.zeros((len(labels), *size), np.uint8)
    classes = list(classes)
    for index, slice_ in enumerate(labels):
        masks = torch.from_numpy(np.stack([slice_ == c for c in classes])).float()
        best[index] = resample_slices(masks, size).argmax(0).byte().numpy()
    return np.asarray(list(classes))[best].astype(labels.dtype)
