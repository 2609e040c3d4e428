"""TIFF stacks: pages are sagittal slices, spacing from the tags of ImageJ, OME or plain TIFF.

tifffile parses the directories. Its `series`, which may open other files that OME metadata name,
is left alone, and every strip is checked against the file before anything is decoded.
"""

from __future__ import annotations

import math
import struct
import time
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from napari_spineseg.grid import Grid
from napari_spineseg.io.guard import claimed_bytes, open_file, refuse
from napari_spineseg.io.quiet import quiet
from napari_spineseg.io.tiff_tags import Stack, stack_of
from napari_spineseg.io.volume import Volume, check_affine, pick_volume

_NONE, _LZW, _JPEG, _PACKBITS, _DEFLATE = (1,), (5,), (7,), (32773,), (8, 32946)
_MAX_PAGES = 8192
_SECONDS = 10.0


def read_tiff(path: Path, volume: int | None = None) -> Volume:
    """Read a TIFF stack as (pages, rows, columns): slices to the right, rows down, columns to the back.

    Raises
    ------
    ScanError
        If it is damaged, cut short, in colour, or its pages differ in size.
    """
    with open_file(path) as file, quiet("tifffile"):
        size = file.seek(0, 2)
        # A tag may hold anything, and tifffile parses it when it is first asked for.
        try:
            file.seek(0)
            tiff = tifffile.TiffFile(file, name=path.name, is_ome=False)
            pages = _pages(tiff, file, size, path)
            _check_pages(pages, path)
            stack = stack_of(pages[0], str(pages[0].description or ""), len(pages), size)
        except (tifffile.TiffFileError, *_PARSER_ERRORS) as error:
            refuse(path, "is a damaged TIFF file; export it again", error)
        if stack.mixed:
            refuse(path, "holds several channels or series; save one of them as a file of its own")
        if stack.said > stack.slices * stack.volumes:
            held = stack.slices * stack.volumes
            refuse(path, f"is cut short: it describes {stack.said} slices and holds {held}; export it again")
        index = pick_volume(path, stack.volumes, volume)
        voxels = _voxels(pages, stack, index, size, path)
    return _placed(voxels, stack, path)


_PARSER_ERRORS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, OverflowError,
    ArithmeticError, OSError, EOFError, SyntaxError, struct.error, zlib.error,
)  # fmt: skip
"""What tifffile and Pillow raise on damaged files."""


def _pages(tiff: tifffile.TiffFile, file: BinaryIO, size: int, path: Path) -> list[tifffile.TiffPage]:
    """All pages. tifffile leaves out what it cannot follow; here every link of the chain must hold."""
    expected = _directories(file, size)
    start, pages = time.monotonic(), []
    for page in tiff.pages:
        if len(pages) >= _MAX_PAGES or time.monotonic() - start > _SECONDS:
            refuse(path, f"has more than {len(pages)} pages; save the scan alone")
        pages.append(page.aspage() if isinstance(page, tifffile.TiffFrame) else page)
    if [page.offset for page in pages] != expected:
        raise ValueError("directories that cannot be followed")
    return pages


def _directories(file: BinaryIO, size: int) -> list[int]:
    """Where each page's directory is.

    Raises
    ------
    ValueError
        If the chain leaves the file or runs in a circle.
    """
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    number, entry, link = ("Q", 20, "Q") if big else ("H", 12, "I")
    at = struct.unpack(order + link, head[8:16] if big else head[4:8])[0]
    found: list[int] = []
    seen: set[int] = set()
    while at:
        if at in seen or at + struct.calcsize(number) > size or len(found) > _MAX_PAGES:
            raise ValueError("a chain of directories that does not end")
        found.append(at)
        seen.add(at)
        file.seek(at)
        entries = struct.unpack(order + number, file.read(struct.calcsize(number)))[0]
        file.seek(at + struct.calcsize(number) + entries * entry)
        # A file that is cut in the middle of a directory makes this short, and unpack fails.
        at = struct.unpack(order + link, file.read(struct.calcsize(link)))[0]
    return found


def _check_pages(pages: list[tifffile.TiffPage], path: Path) -> None:
    """One grey value a pixel, and one size throughout."""
    if not pages:
        refuse(path, "holds no page")
    first = pages[0]
    photometric = int(first.photometric) if first.photometric is not None else 1
    if first.dtype is None or np.dtype(first.dtype).kind not in "iuf":
        refuse(path, "has pixels that are not grey values of 8 bits or more; save it as 16-bit grey")
    if first.samplesperpixel != 1 or photometric not in (0, 1):
        refuse(path, "is in colour; save it as a grey-scale TIFF")
    for number, page in enumerate(pages):
        if page.shape != first.shape or page.samplesperpixel != 1:
            sizes = f"{first.shape[:2]} and, on page {number + 1}, {page.shape[:2]}"
            refuse(path, f"has pages of different size ({sizes}); save slices of one size")
        if page.dtype != first.dtype or page.photometric != first.photometric:
            refuse(path, "has pages of different type; save them all in one type")
    if first.ndim != 2:
        refuse(path, f"has pages with {first.ndim} axes where two were expected")


def _voxels(pages: list[Any], stack: Stack, index: int, size: int, path: Path) -> np.ndarray:
    """(slices, rows, columns) of one volume."""
    first = pages[0]
    dtype, shape = np.dtype(first.dtype), (stack.slices, *first.shape)
    total = claimed_bytes(path, shape, dtype.itemsize)
    if stack.contiguous:
        # ImageJ writes large stacks as one page with the other slices right behind it.
        order = first.parent.byteorder
        first.parent.filehandle.seek(first.dataoffsets[0] + index * total)
        content = first.parent.filehandle.read(total)
        if len(content) < total:
            refuse(path, "is cut short: its slices end too early; export it again")
        voxels = np.frombuffer(content, dtype.newbyteorder(order)).reshape(shape)
    else:
        chosen = pages[index * stack.slices : (index + 1) * stack.slices]
        for page in chosen:
            _check_strips(page, size, path)
        voxels, pillow = np.empty(shape, dtype), _Pillow(first.parent.filehandle)
        for number, page in enumerate(chosen):
            pixels = _decode(page, index * stack.slices + number, pillow, path)
            if pixels.shape != first.shape:
                refuse(path, "has pixels that cannot be decoded; save it uncompressed")
            voxels[number] = pixels
    if first.photometric is not None and int(first.photometric) == 0:
        # Zero is white: turned so that bright is bright, as every later step expects.
        top = np.iinfo(dtype).max if dtype.kind in "iu" else voxels.max()
        voxels = (top - voxels).astype(dtype)
    return voxels


def _check_strips(page: Any, size: int, path: Path) -> None:
    """Every strip lies in the file and, decompressed, is no larger than it says."""
    offsets, counts = page.dataoffsets, page.databytecounts
    expected = math.prod(page.shape) * np.dtype(page.dtype).itemsize
    inside = all(o > 0 and n > 0 and o + n <= size for o, n in zip(offsets, counts, strict=False))
    whole = (
        page.compression not in _NONE
        or sum(counts) * 8 >= expected * page.bitspersample // page.dtype.itemsize
    )
    if not offsets or len(offsets) != len(counts) or not inside or not whole:
        refuse(path, "is cut short: a page promises more pixels than the file holds; export it again")
    if page.compression in _DEFLATE:
        # Tiles at the border are stored whole, so one chunk may exceed its share of the page.
        most = max(expected, math.prod(page.chunks) * np.dtype(page.dtype).itemsize) + 1
        for offset, count in zip(offsets, counts, strict=True):
            page.parent.filehandle.seek(offset)
            _check_deflated(page.parent.filehandle.read(count), most, path)


def _check_deflated(strip: bytes, most: int, path: Path) -> None:
    engine = zlib.decompressobj()
    try:
        out = engine.decompress(strip, most)
    except zlib.error as error:
        refuse(path, "has damaged compressed pixels; export it again", error)
    if len(out) >= most or engine.unconsumed_tail:
        refuse(path, "holds far more data than its header describes; export it again")
    if not engine.eof:
        refuse(path, "has compressed pixels that end too early; export it again")


def _decode(page: Any, number: int, pillow: _Pillow, path: Path) -> np.ndarray:
    """Pixels of one page."""
    try:
        if page.compression in (*_NONE, *_DEFLATE, *_PACKBITS):
            return page.asarray(maxworkers=1)
        if page.compression in (*_LZW, *_JPEG):
            return pillow.decoded(page, number)
    except _PARSER_ERRORS as error:
        refuse(path, "has pixels that cannot be decoded; save it uncompressed", error)
    kind = getattr(page.compression, "name", page.compression)
    refuse(path, f"is compressed as {kind}, which SpineSeg does not read; save it uncompressed")


class _Pillow:
    """LZW and JPEG, for which tifffile would need another package.

    The file is opened once and read page after page: every opening walks through all pages before the one
    that is wanted.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._image: Any = None

    def decoded(self, page: Any, number: int) -> np.ndarray:
        """Stored values of page `number`."""
        from PIL import Image

        if self._image is None:
            self._handle.seek(0)
            self._image = Image.open(self._handle._fh, formats=["TIFF"])
        self._image.seek(number)
        pixels = np.asarray(self._image)
        # Pillow turns over 8-bit pictures whose zero is white, and no others.
        turned = self._image.mode == "L" and page.photometric is not None and int(page.photometric) == 0
        return 255 - pixels if turned else pixels


def _placed(voxels: np.ndarray, stack: Stack, path: Path) -> Volume:
    """The volume on the grid that our own writer left, or on sagittal axes."""
    facts = {"format": "tiff", "dtype": voxels.dtype.newbyteorder("=").name}
    if stack.note is not None:
        facts["spineseg"] = {k: v for k, v in stack.note.items() if k not in ("affine", "shape")}
        affine = np.asarray(stack.note["affine"], float)
        check_affine(path, affine)
        turn = Grid(tuple(stack.note["shape"]), affine).to_orientation()
        if turn.grid.shape == voxels.shape:
            return Volume(turn.invert(voxels), affine, facts, [])
    slices, rows, columns = stack.spacing
    affine = np.array([[slices, 0, 0, 0], [0, 0, -columns, 0], [0, -rows, 0, 0], [0, 0, 0, 1]], float)
    check_affine(path, affine)
    notes = [*stack.warnings, "A TIFF does not say its orientation: pages are taken as sagittal slices."]
    return Volume(voxels, affine, facts, notes)
