"""Labelled scans in a folder, whatever its layout.

Known are SPIDER as downloaded (`images/1_t2.mha`, `masks/1_t2.mha`), the published PNG release
(see `png_release`), images with labels beside them (`005_image.nii.gz`, `005_labels.nii.gz`, or
`scan.mha`, `scan_seg.nii.gz`), and labels alone. Folders called train, val or test, at any depth,
are splits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_spineseg.anatomy import Scheme
from napari_spineseg.datasets.png_release import (
    PIXEL_MM,
    SLICE_MM,
    SliceFile,
    consecutive_runs,
    find_slices,
    read_slice,
)
from napari_spineseg.errors import DatasetError
from napari_spineseg.grid import sagittal_affine
from napari_spineseg.io import read_segmentation, stem_of
from napari_spineseg.io.read import read_only_scan
from napari_spineseg.scan import Scan, Segmentation

SPLITS = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test"}
_ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd")
_LABEL_END = re.compile(r"[_-](seg|segmentation|labels?|levels?|mask|masks|structures)$", re.IGNORECASE)
_IMAGE_END = re.compile(r"[_-](image|img|prep)$", re.IGNORECASE)
_SEQUENCE = re.compile(r"[_-](t1|t2|stir|tirm|t2[_-]?space)$", re.IGNORECASE)
_RELEASE_AFFINE = sagittal_affine((SLICE_MM, PIXEL_MM, PIXEL_MM))


@dataclass(frozen=True)
class Case:
    """One labelled scan.

    Attributes
    ----------
    name
        Unique in its folder.
    patient
        What splits must not divide: "5" for `005_image` and for `5_t2_SPACE`.
    split
        "train", "val", "test", or "" outside such folders.
    image, labels
        Files; `image` is None for labels alone. For PNG slices, the first of each.
    slices
        The PNG slices that are this case's, in order.
    """

    name: str
    patient: str
    split: str
    image: Path | None
    labels: Path
    slices: tuple[SliceFile, ...] = field(default=())

    def read_scan(self) -> Scan | None:
        """The image, on its own grid."""
        if self.slices:
            return Scan(np.stack([read_slice(s)[0] for s in self.slices]), _RELEASE_AFFINE, self.name)
        return read_only_scan(self.image) if self.image is not None else None

    def read_labels(self) -> Segmentation:
        """The labels, on their own grid."""
        if self.slices:
            labels = np.stack([read_slice(s)[1] for s in self.slices]).astype(np.uint16)
            return Segmentation(labels, _RELEASE_AFFINE, self.name, "structures")
        return read_segmentation(self.labels)

    @property
    def sequence(self) -> str:
        """What the file name says: "t2_SPACE", "t1", …; empty if nothing."""
        if self.slices:
            return self.slices[0].sequence
        found = re.search(r"(t2[_-]?space|t1|t2|stir|tirm)", stem_of(self.labels), re.IGNORECASE)
        return found[0] if found else ""

    @property
    def scheme(self) -> Scheme | None:
        """The scheme, where the layout says it."""
        return "structures" if self.slices else None


def find_cases(folder: Path) -> list[Case]:
    """Every labelled scan under `folder`, by name.

    Raises
    ------
    DatasetError
        If the folder is missing or holds no labelled scans.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder.")
    cases = []
    for place in sorted({folder, *(p for p in folder.rglob("*") if p.is_dir())}):
        cases += _cases_in(place, folder)
    if not cases:
        raise DatasetError(
            f"{folder} holds no labelled scans: expected images/ and masks/, or files such as 5_image.nii.gz "
            "beside 5_labels.nii.gz."
        )
    return sorted(cases, key=lambda c: (c.split, len(c.patient), c.patient, c.name))


def _cases_in(place: Path, root: Path) -> list[Case]:
    split = split_of(place, root)
    if place.name in ("images", "masks"):
        return []
    if (place / "images").is_dir() and (place / "masks").is_dir():
        if any((place / "images").glob("*.png")):
            return _release_cases(place, split)
        images = {stem_of(p): p for p in _volumes(place / "images")}
        return [
            Case(stem_of(p), patient_of(stem_of(p)), split, images.get(stem_of(p)), p)
            for p in _volumes(place / "masks")
        ]
    return _paired_cases(place, split)


def _paired_cases(place: Path, split: str) -> list[Case]:
    files = _volumes(place)
    labels = [p for p in files if _LABEL_END.search(stem_of(p))]
    images = {_IMAGE_END.sub("", stem_of(p)): p for p in files if p not in labels}
    cases = []
    for path in labels:
        name = _LABEL_END.sub("", stem_of(path))
        cases.append(Case(name, patient_of(name), split, images.get(name), path))
    return cases


def _release_cases(place: Path, split: str) -> list[Case]:
    cases = []
    for run in consecutive_runs(find_slices(place)):
        first, last = run[0], run[-1]
        name = f"{first.patient}_{first.sequence}_{first.index}-{last.index}"
        patient = patient_of(first.patient)
        cases.append(Case(name, patient, split, first.image, first.mask, tuple(run)))
    return cases


def _volumes(place: Path) -> list[Path]:
    return sorted(
        p for p in place.iterdir() if p.name.lower().endswith(_ENDINGS) and not p.name.startswith(".")
    )


def split_of(place: Path, root: Path) -> str:
    """The split that a folder belongs to by the names on its path below `root`, `root` included."""
    parts = (root.name, *place.relative_to(root).parts)
    return next((SPLITS[part.lower()] for part in reversed(parts) if part.lower() in SPLITS), "")


def patient_of(name: str) -> str:
    """The patient's id in a name.

    >>> patient_of("005"), patient_of("5_t2_SPACE"), patient_of("118_t2"), patient_of("anna_t1")
    ('5', '5', '118', 'anna')
    """
    number = re.match(r"(?:sub-)?0*(\d+)(?=$|[_\- ])", name)
    return number[1] if number else _SEQUENCE.sub("", name)
