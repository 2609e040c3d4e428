"""A small dataset of phantoms made of boxes, good or bad in known ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_spineseg.io import write_scan, write_segmentation
from napari_spineseg.scan import Scan, Segmentation

# Slices to the right 4 mm apart, rows down, columns to the back, 1 mm.
AFFINE = np.array([[4.0, 0, 0, -14], [0, 0, -1.0, 20], [0, -1.0, 0, 40], [0, 0, 0, 1]])


def levels(vertebrae: int = 5) -> np.ndarray:
    """(8, 80, 48) uint16: vertebrae 1 upward, discs under them, a canal behind, none at the border."""
    out = np.zeros((8, 80, 48), np.uint16)
    for n in range(vertebrae):
        bottom = 70 - 13 * n
        out[1:7, bottom - 8 : bottom, 8:24] = n + 1
        out[2:6, bottom + 1 : bottom + 4, 9:23] = 201 + n
    out[2:6, 3:76, 28:34] = 100
    return out


def image_of(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """(8, 80, 48) int16: vertebrae grey, discs bright, canal brightest, noise, and a person of its own."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform(50, 350, [-(-n // 8) for n in labels.shape])
    body = np.kron(blocks, np.ones((8, 8, 8)))[tuple(slice(n) for n in labels.shape)]
    values = np.where(labels == 100, 900, np.where(labels > 200, 650, np.where(labels > 0, 400, body)))
    return (values + rng.normal(0, 15, labels.shape)).clip(0).astype(np.int16)


def save(folder: Path, name: str, labels: np.ndarray, image: np.ndarray | None = None, affine=AFFINE) -> None:
    """`<name>_image.nii.gz` and `<name>_levels.nii.gz`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_segmentation(Segmentation(labels, AFFINE, name), folder / f"{name}_levels.nii.gz")
    if image is not None:
        write_scan(Scan(image, affine, name), folder / f"{name}_image.nii.gz")
