"""A small release of slices in the published layout, with phantoms of boxes for patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_release(folder: Path, patients: dict[str, range], seed: int = 0) -> Path:
    """`images/` and `masks/`, 64 × 48 pixels; every slice has a vertebra, a disc and a canal."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for patient, numbers in patients.items():
        shift = int(rng.integers(0, 6))
        for number in numbers:
            mask = np.zeros((64, 48), np.uint8)
            mask[10 + shift : 26 + shift, 8:24] = 76
            mask[28 + shift : 34 + shift, 8:24] = 29
            mask[4:60, 28 + shift // 2 : 36 + shift // 2] = 150
            image = np.select([mask == 76, mask == 29, mask == 150], [90, 160, 240], 30)
            image = (image + rng.normal(0, 8, mask.shape)).clip(0, 255).astype(np.uint8)
            name = f"{patient}_t2_SPACE_slice{number}.png"
            Image.fromarray(image).save(folder / "images" / name)
            Image.fromarray(mask).save(folder / "masks" / name)
    return folder
