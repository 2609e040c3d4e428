"""DICOM headers -> one record an image: where it lies, how its values scale, what it belongs to.

A classic file holds one slice, an enhanced one holds many, each with its own functional groups;
from here on there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_spineseg.io.dicom_files import Header, meta_of, numbers_of, text_of, value_of, whole_of
from napari_spineseg.io.guard import refuse

_MAX_FRAMES = 20_000
# MR and CT images, one slice a file and enhanced.
_IMAGES = tuple(f"1.2.840.10008.5.1.4.1.1.{kind}" for kind in ("4", "4.1", "2", "2.1"))
# Elements that tell apart images taken at the same place.
_VARIANT_KEYS = (
    "ImageType",
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "DiffusionBValue",
    "TriggerTime",
)


@dataclass
class Slice:
    """One image.

    Attributes
    ----------
    position
        (3,) LPS mm of the first pixel's centre, None if the file does not say.
    rows, columns
        (3,) unit vectors, LPS: along a row (column index grows) and down a column; None if unknown.
    spacing
        (between rows, between columns) in mm, None if unknown.
    thickness
        Distance to the next slice as the header has it, mm, 0 if unknown.
    shape
        (rows, columns) in pixels.
    scale
        (slope, intercept).
    """

    header: Header
    frame: int
    shape: tuple[int, int]
    position: np.ndarray | None
    rows: np.ndarray | None
    columns: np.ndarray | None
    spacing: tuple[float, float] | None
    thickness: float
    scale: tuple[float, float]
    echo: float
    times: dict[str, float] = field(default_factory=dict)
    variant: tuple[str, ...] = ()
    uid: str = ""

    @property
    def placed(self) -> bool:
        """Whether the file says where the image lies."""
        return self.position is not None and self.rows is not None


def is_image(header: Header) -> bool:
    """Whether the file holds grey-scale pixels that could be a slice."""
    return bool(header.pixel_tag) and header.text("Modality") not in ("SEG", "RTDOSE", "RTSTRUCT", "SR", "PR")


def lost_its_pixels(header: Header) -> bool:
    """Whether the file is an MR or CT image, or does not get as far as to say so, and lacks its pixels."""
    kind = meta_of(header.data, "MediaStorageSOPClassUID") or header.text("SOPClassUID")
    return kind in ("", *_IMAGES) and not header.pixel_tag and header.text("Modality") in ("MR", "CT", "")


def is_grey(header: Header) -> bool:
    """Whether a pixel is one grey value."""
    samples = numbers_of(header.data, "SamplesPerPixel") or [1.0]
    return samples[0] == 1 and header.text("PhotometricInterpretation") in ("", "MONOCHROME1", "MONOCHROME2")


def slices_of(header: Header) -> list[Slice]:
    """The images of a file.

    Raises
    ------
    ScanError
        If the header contradicts itself.
    """
    shape = whole_of(header.data, "Rows"), whole_of(header.data, "Columns")
    if min(shape) < 1:
        refuse(header.path, "is a DICOM image without rows and columns; export it again")
    frames = whole_of(header.data, "NumberOfFrames", 1)
    if not 1 <= frames <= _MAX_FRAMES:
        refuse(header.path, f"claims {frames} frames; export it again")
    per_frame = _sequence(header.data, "PerFrameFunctionalGroupsSequence")
    if per_frame and len(per_frame) != frames:
        refuse(header.path, f"has {frames} frames and describes {len(per_frame)}; export it again")
    shared = _sequence(header.data, "SharedFunctionalGroupsSequence")[:1]
    if per_frame or shared:
        groups = per_frame or [None] * frames
        return [_slice(header, n, shape, [own, *shared]) for n, own in enumerate(groups)]
    if frames > 1:
        return _frames_with_offsets(header, shape, frames)
    return [_slice(header, 0, shape, [])]


def _sequence(data: Any, name: str) -> list[Any]:
    value = value_of(data, name)
    return list(value) if value is not None and hasattr(value, "__iter__") else []


def _slice(header: Header, frame: int, shape: tuple[int, int], groups: list[Any]) -> Slice:
    """One image; `groups` are an enhanced frame's own and the shared functional groups."""
    look = _Lookup(header.data, [group for group in groups if group is not None])
    position = _vector(look.numbers("PlanePositionSequence", "ImagePositionPatient"), 3)
    cosines = _vector(look.numbers("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    spacing = _vector(look.numbers("PixelMeasuresSequence", "PixelSpacing"), 2)
    thickness = look.numbers("PixelMeasuresSequence", "SpacingBetweenSlices") or look.numbers(
        "PixelMeasuresSequence", "SliceThickness"
    )
    slope = look.numbers("PixelValueTransformationSequence", "RescaleSlope") or [1.0]
    intercept = look.numbers("PixelValueTransformationSequence", "RescaleIntercept") or [0.0]
    effective = look.numbers("MREchoSequence", "EffectiveEchoTime")
    times = {
        "EchoTime": effective or look.numbers("", "EchoTime"),
        "RepetitionTime": look.numbers("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        "InversionTime": look.numbers("MRModifierSequence", "InversionTimes")
        or look.numbers("", "InversionTime"),
    }
    number = numbers_of(header.data, "EchoNumbers")
    known = {name: value[0] for name, value in times.items() if value}
    return Slice(
        header,
        frame,
        shape,
        position,
        *((cosines[:3], cosines[3:]) if cosines is not None else (None, None)),
        (float(spacing[0]), float(spacing[1])) if spacing is not None else None,
        abs(thickness[0]) if thickness and np.isfinite(thickness[0]) else 0.0,
        # A slope of 0 would erase the image; scanners that write it mean "none".
        (
            slope[0] if np.isfinite(slope[0]) and slope[0] else 1.0,
            intercept[0] if np.isfinite(intercept[0]) else 0.0,
        ),
        # The number tells echoes apart where times are rounded; the time where numbers are missing.
        number[0] if number and not effective else round(known.get("EchoTime", 0.0), 1),
        known,
        tuple(look.text(name) for name in _VARIANT_KEYS),
        # Two files with the same instance number are the same image, stored twice.
        f"{header.text('SOPInstanceUID') or header.path}/{frame}",
    )


# Where an enhanced file keeps what tells images apart: (sequence, element).
_HOMES = {
    "ImageType": ("MRImageFrameTypeSequence", "FrameType"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "TemporalPositionIdentifier": ("FrameContentSequence", "TemporalPositionIndex"),
    "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
    "TriggerTime": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
}


class _Lookup:
    """An attribute, from a frame's own group, the shared group, or the data set itself."""

    def __init__(self, data: Any, groups: list[Any]) -> None:
        self._data, self._groups = data, groups

    def numbers(self, sequence: str, name: str) -> list[float]:
        for group in self._groups:
            for item in _sequence(group, sequence)[:1] if sequence else []:
                if found := numbers_of(item, name):
                    return found
        return numbers_of(self._data, name)

    def text(self, name: str) -> str:
        sequence, inner = _HOMES[name]
        for group in self._groups:
            for item in _sequence(group, sequence)[:1]:
                if found := text_of(item, inner):
                    return found
        return "" if self._groups else text_of(self._data, name)


def _frames_with_offsets(header: Header, shape: tuple[int, int], frames: int) -> list[Slice]:
    """Frames of an old multi-frame file, which has one position and, at best, an offset a frame."""
    first = _slice(header, 0, shape, [])
    offsets = numbers_of(header.data, "GridFrameOffsetVector")
    if not first.placed or len(offsets) != frames:
        refuse(
            header.path, f"has {frames} frames and does not say where each lies; export it as single slices"
        )
    normal = np.cross(first.rows, first.columns)
    result = []
    for frame, offset in enumerate(offsets):
        one = _slice(header, frame, shape, [])
        one.position = first.position + (offset - offsets[0]) * normal
        result.append(one)
    return result


def _vector(values: list[float], size: int) -> np.ndarray | None:
    vector = np.asarray(values, float)
    return vector if vector.shape == (size,) and np.isfinite(vector).all() else None
