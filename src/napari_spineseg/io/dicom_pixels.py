"""Pixels of DICOM frames, checked against the file before anything is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import config, dcmread
from pydicom.encaps import get_frame
from pydicom.pixels import pixel_array
from pydicom.uid import UID

from napari_spineseg.io.dicom_files import PARSER_ERRORS, Header, meta_of, numbers_of, whole_of
from napari_spineseg.io.dicom_rle import RLE, unpacks_too_far
from napari_spineseg.io.guard import open_file, refuse
from napari_spineseg.io.quiet import quiet

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_LENGTHS = "ExtendedOffsetTableLengths"
_FLOAT_TAGS = {0x7FE00008: np.dtype("<f4"), 0x7FE00009: np.dtype("<f8")}


class Pixels:
    """Decodes the frames of one file after another; keeps the last compressed file open in memory."""

    def __init__(self) -> None:
        self._data: Any = None
        self._path: Path | None = None

    def frame(self, header: Header, frame: int, shape: tuple[int, int]) -> np.ndarray:
        """Stored values of a frame, (rows, columns), before any rescaling.

        Raises
        ------
        ScanError
            If the file is cut short, or compressed in a way that cannot be decoded.
        """
        dtype = stored_dtype(header)
        if not header.encapsulated:
            return _native(header, frame, shape, dtype)
        if self._path != header.path:
            _check_fragments(header, shape, dtype)
            self._data, self._path = self._load(header), header.path
        if _syntax_uid(header) == RLE:
            self._check_rle(header, frame, shape, dtype)
        pixels = self._decoded(header, frame)
        if pixels.shape != shape:
            refuse(header.path, "has pixels of another size than its header says; export it again")
        return pixels

    def _decoded(self, header: Header, frame: int) -> np.ndarray:
        """A compressed frame: pydicom decodes RLE itself, and JPEG where its plugins are installed."""
        with quiet("pydicom"), config.disable_value_validation():
            try:
                return pixel_array(self._data, index=frame, raw=True)
            except (*PARSER_ERRORS, RuntimeError, MemoryError) as error:
                if frame == 0 and (pixels := _decoded_by_itk(header)) is not None:
                    return pixels
                refuse(header.path, f"cannot be decoded ({_syntax(header)}); export it uncompressed", error)

    def _check_rle(self, header: Header, frame: int, shape: tuple[int, int], dtype: np.dtype) -> None:
        """Refuse a frame that would unpack to far more than its picture."""
        table = [getattr(self._data, name, None) for name in ("ExtendedOffsetTable", _LENGTHS)]
        with quiet("pydicom"):
            try:
                packed = get_frame(
                    self._data.PixelData,
                    frame,
                    extended_offsets=None if None in table else tuple(table),
                    number_of_frames=max(1, whole_of(header.data, "NumberOfFrames", 1)),
                )
                bomb = unpacks_too_far(packed, shape[0] * shape[1], dtype.itemsize)
            except PARSER_ERRORS as error:
                refuse(header.path, f"cannot be decoded ({_syntax(header)}); export it uncompressed", error)
        if bomb:
            refuse(
                header.path,
                f"unpacks to far more than the {shape[0]} x {shape[1]} pixels of its header; export it again",
            )

    @staticmethod
    def _load(header: Header) -> Any:
        with open_file(header.path) as file, quiet("pydicom"), config.disable_value_validation():
            try:
                return dcmread(file, force=True)
            except PARSER_ERRORS as error:
                refuse(header.path, "is a damaged DICOM file; export it again", error)


def _decoded_by_itk(header: Header) -> np.ndarray | None:
    """Stored values of a JPEG-compressed single image, decoded by the GDCM inside SimpleITK.

    None for anything else. ITK has rescaled what it returns; this takes that back.
    """
    if "JPEG" not in _syntax(header) or whole_of(header.data, "NumberOfFrames", 1) != 1:
        return None
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(header.path), imageIO="GDCMImageIO"))
    except RuntimeError:
        return None
    slope = (numbers_of(header.data, "RescaleSlope") or [1.0])[0] or 1.0
    intercept = (numbers_of(header.data, "RescaleIntercept") or [0.0])[0]
    stored = np.rint((values.astype(np.float64) - intercept) / slope)
    return stored.reshape(values.shape[-2:]).astype(stored_dtype(header).newbyteorder("="))


def stored_dtype(header: Header) -> np.dtype:
    """Type of the stored values.

    Raises
    ------
    ScanError
        If it is not 8, 16 or 32 bits.
    """
    if header.pixel_tag in _FLOAT_TAGS:
        return _FLOAT_TAGS[header.pixel_tag]
    bits = whole_of(header.data, "BitsAllocated")
    signed = whole_of(header.data, "PixelRepresentation") == 1
    if bits not in (8, 16, 32):
        refuse(header.path, f"has {bits} bits a pixel; export it with 8 or 16")
    order = ">" if _syntax_uid(header) == "1.2.840.10008.1.2.2" else "<"
    return np.dtype(f"{order}{'i' if signed else 'u'}{bits // 8}")


def _native(header: Header, frame: int, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    size = shape[0] * shape[1] * dtype.itemsize
    start = frame * size
    held = min(header.pixel_length, header.size - header.pixel_start)
    if start + size > held:
        refuse(
            header.path,
            f"is cut short: its header promises {start + size} bytes of pixels and it holds {max(held, 0)}; "
            "copy or export it again",
        )
    with open_file(header.path) as file:
        file.seek(header.pixel_start + start)
        content = file.read(size)
    if len(content) < size:
        refuse(header.path, "is cut short; copy or export it again")
    return _stored_bits(header, np.frombuffer(content, dtype).reshape(shape))


def _stored_bits(header: Header, pixels: np.ndarray) -> np.ndarray:
    """Values without what old files keep in the unused high bits (overlays)."""
    allocated = pixels.dtype.itemsize * 8
    stored = whole_of(header.data, "BitsStored", allocated)
    high = whole_of(header.data, "HighBit", stored - 1)
    if pixels.dtype.kind == "f" or not 0 < stored < allocated or high != stored - 1:
        return pixels
    shift = allocated - stored
    return (pixels.astype(pixels.dtype.newbyteorder("=")) << shift) >> shift


def _check_fragments(header: Header, shape: tuple[int, int], dtype: np.dtype) -> None:
    """Encapsulated frames end inside the file, and none claims to unpack to more than a frame."""
    frames = max(1, whole_of(header.data, "NumberOfFrames", 1))
    raw = shape[0] * shape[1] * dtype.itemsize
    total = 0
    for head, length in _fragments(header):
        total += length
        claim = _codestream_size(head)
        if claim is not None and claim[0] * claim[1] > 4 * shape[0] * shape[1]:
            refuse(header.path, f"holds a picture of {claim[0]} x {claim[1]} where {shape} was promised")
    if total > frames * (2 * raw + (1 << 16)):
        refuse(header.path, "holds far more data than its header describes; export it again")


def _fragments(header: Header) -> Iterator[tuple[bytes, int]]:
    """The first bytes and the length of every item of encapsulated pixel data."""
    with open_file(header.path) as file:
        position = header.pixel_start
        while True:
            file.seek(position)
            head = file.read(8)
            if head[:4] == _END:
                return
            if len(head) < 8 or head[:4] != _ITEM:
                refuse(header.path, "is cut short: its compressed pixels do not end; copy or export it again")
            length = struct.unpack("<I", head[4:])[0]
            if position + 8 + length > header.size:
                refuse(header.path, "is cut short: its compressed pixels do not end; copy or export it again")
            yield file.read(min(length, 4096)), length
            position += 8 + length


def _codestream_size(head: bytes) -> tuple[int, int] | None:
    """(rows, columns) that a JPEG or JPEG 2000 stream announces, None where none is seen.

    Decoders ask for memory by this, not by the DICOM header.
    """
    if head[:4] == b"\xff\x4f\xff\x51" and len(head) >= 16:
        width, height = struct.unpack(">II", head[8:16])
        return height, width
    if head[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], struct.unpack(">H", head[at + 2 : at + 4])[0]
        # Frame headers are C0 to CF without the tables C4, C8 and CC, and F7 for JPEG-LS.
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return struct.unpack(">HH", head[at + 5 : at + 9])
        at += 2 + length
    return None


def _syntax_uid(header: Header) -> str:
    return meta_of(header.data, "TransferSyntaxUID")


def _syntax(header: Header) -> str:
    """The transfer syntax in words."""
    uid = _syntax_uid(header)
    return UID(uid).name if uid else "unknown transfer syntax"
