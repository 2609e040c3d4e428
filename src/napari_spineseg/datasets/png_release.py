"""The published 2D release of SPIDER (Ahmed et al. 2024): PNG slices and PNG masks.

Layout: `images/` and `masks/` with `<patient>_<sequence>_slice<n>.png`; rows run from the top of
the body down, columns from front to back. Masks: 76 vertebra, 29 disc, 150 canal, 0 the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from napari_spineseg.anatomy import Structure
from napari_spineseg.errors import DatasetError

# The release does not carry its geometry; these are SPIDER's T2 SPACE values.
SLICE_MM, PIXEL_MM = 0.9, 0.469
GREY_OF = {Structure.VERTEBRA: 76, Structure.DISC: 29, Structure.CANAL: 150}
_NAME = re.compile(r"^(?P<patient>\d+)_(?P<sequence>.+)_slice(?P<slice>\d+)$")


@dataclass(frozen=True)
class SliceFile:
    """One slice of the release and where its image and mask are."""

    patient: str
    sequence: str
    index: int
    image: Path
    mask: Path


def find_slices(folder: Path) -> list[SliceFile]:
    """Every slice of a release folder, ordered by patient, sequence and slice.

    Raises
    ------
    DatasetError
        If the folder is not such a release or an image has no mask.
    """
    images = sorted((folder / "images").glob("*.png"))
    if not images:
        raise DatasetError(f"{folder} has no images/*.png: not a folder of released slices.")
    found = []
    for image in images:
        match = _NAME.match(image.stem)
        mask = folder / "masks" / image.name
        if match is None:
            raise DatasetError(f"{image.name}: expected a name like 118_t2_SPACE_slice50.png.")
        if not mask.is_file():
            raise DatasetError(f"{image.name} has no mask in {folder / 'masks'}.")
        found.append(SliceFile(match["patient"], match["sequence"], int(match["slice"]), image, mask))
    return sorted(found, key=lambda s: (s.patient, s.sequence, s.index))


def read_slice(item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
    """Image and structures of a slice, both (height, width) uint8."""
    return np.asarray(Image.open(item.image).convert("L")), read_mask(item.mask)


def read_mask(path: Path) -> np.ndarray:
    """A grey mask as structures, (height, width) uint8; other greys become background."""
    grey = np.asarray(Image.open(path).convert("L"))
    structures = np.zeros(grey.shape, np.uint8)
    for structure, value in GREY_OF.items():
        structures[grey == value] = structure
    return structures


def consecutive_runs(slices: list[SliceFile]) -> list[list[SliceFile]]:
    """Split a patient's slices where slice numbers jump, so that neighbours are neighbours."""
    runs: list[list[SliceFile]] = []
    for item in slices:
        last = runs[-1][-1] if runs else None
        follows = last and (last.patient, last.sequence, last.index + 1) == (
            item.patient,
            item.sequence,
            item.index,
        )
        if follows:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs
