"""Makers of files, good and bad, for the tests of this room."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SAGITTAL_LPS = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
"""Direction cosines of a sagittal image: columns run to the back, rows downward."""


def _base(pixels: np.ndarray, sop_class: UID, syntax: UID, uid: str) -> Dataset:
    """A data set with what every image needs; pixels (rows, columns) or (frames, rows, columns)."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = sop_class
    data.file_meta.MediaStorageSOPInstanceUID = uid
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID, data.SOPInstanceUID = sop_class, uid
    data.Modality = "MR"
    data.PatientName, data.PatientID = "Doe^Jane", "42"
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = pixels.dtype.itemsize * 8
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW"
    return data


def save(data: Dataset, path: Path, compress: UID | None = None) -> Path:
    """Write a data set, RLE-compressed if asked."""
    if compress is not None:
        data.compress(compress)
    data.save_as(path, enforce_file_format=True)
    return path


@dataclass
class DicomSeries:
    """A series of sagittal slices, 4 mm apart, written one file a slice.

    `voxels` is (columns, rows, slices) as `read_scan` returns them.
    """

    voxels: np.ndarray
    uid: str = field(default_factory=generate_uid)
    number: int = 5
    gap: float = 4.0
    syntax: UID = ExplicitVRLittleEndian
    compress: UID | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def affine(self) -> np.ndarray:
        """What the reader should say: RAS mm."""
        lps = np.array([[0, 0, -self.gap, 30.0], [0.5, 0, 0, -60], [0, -0.7, 0, 80], [0, 0, 0, 1]])
        return np.diag([-1.0, -1, 1, 1]) @ lps

    def dataset(self, index: int) -> Dataset:
        """Slice `index`; positions follow the direction that cross(row, column) points to."""
        data = _base(
            np.ascontiguousarray(self.voxels[:, :, index].T), MRImageStorage, self.syntax, generate_uid()
        )
        data.SeriesInstanceUID, data.SeriesNumber = self.uid, self.number
        data.SeriesDescription = f"series {self.number}"
        # Instance numbers run against the positions, as some scanners have it.
        data.InstanceNumber = 100 - index
        data.ImageOrientationPatient = SAGITTAL_LPS
        data.ImagePositionPatient = [30.0 - self.gap * index, -60.0, 80.0]
        data.PixelSpacing = [0.7, 0.5]
        data.SliceThickness, data.EchoTime, data.RepetitionTime = 3.5, 100.0, 3500.0
        for name, value in self.extra.items():
            setattr(data, name, value)
        return data

    def write(self, folder: Path, name: str = "{:04d}.dcm", only: list[int] | None = None) -> Path:
        """Files named so that their order is not that of their places."""
        folder.mkdir(exist_ok=True, parents=True)
        for index in range(self.voxels.shape[2]) if only is None else only:
            save(self.dataset(index), folder / name.format((index * 7) % 101), self.compress)
        return folder


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def enhanced(series: DicomSeries, path: Path, order: list[int] | None = None) -> Path:
    """The same slices as one enhanced multi-frame file, frames in `order`."""
    order = list(range(series.voxels.shape[2])) if order is None else order
    frames = np.ascontiguousarray(series.voxels.transpose(2, 1, 0)[order])
    data = _base(frames, EnhancedMRImageStorage, series.syntax, generate_uid())
    data.SeriesInstanceUID, data.SeriesNumber, data.NumberOfFrames = series.uid, series.number, len(order)
    shared = _item(
        PlaneOrientationSequence=[_item(ImageOrientationPatient=SAGITTAL_LPS)],
        PixelMeasuresSequence=[_item(PixelSpacing=[0.7, 0.5], SliceThickness=3.5)],
        MRTimingAndRelatedParametersSequence=[_item(RepetitionTime=500.0)],
    )
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=[30.0 - series.gap * n, -60.0, 80.0])],
            MREchoSequence=[_item(EffectiveEchoTime=10.0)],
        )
        for n in order
    ]
    return save(data, path, series.compress)


@pytest.fixture
def voxels() -> np.ndarray:
    """(12 columns, 10 rows, 6 slices) int16, every voxel different from its neighbours."""
    return np.random.default_rng(1).integers(-50, 3000, (12, 10, 6)).astype(np.int16)


@pytest.fixture
def series(voxels) -> DicomSeries:
    return DicomSeries(voxels)


@pytest.fixture
def make_enhanced():
    return enhanced


@pytest.fixture
def make_series():
    return DicomSeries


@pytest.fixture
def save_dicom():
    return save
