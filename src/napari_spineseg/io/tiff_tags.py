"""What the tags of a TIFF say about spacing, and which pages make a volume."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from napari_spineseg.io.volume import left_note

_MM = {
    "mm": 1.0, "millimeter": 1.0, "millimetre": 1.0, "cm": 10.0, "centimeter": 10.0, "m": 1000.0,
    "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "\\u00b5m": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "nm": 1e-6, "inch": 25.4, "in": 25.4,
}  # fmt: skip
# Resolutions that programs write when they know none.
_PRINTER_DPI = (72.0, 96.0, 100.0, 150.0, 300.0, 600.0)

_NO_SPACING = "The TIFF gives no {} spacing; 1 mm is assumed."


@dataclass
class Stack:
    """How pages make volumes, and how large a voxel is.

    Attributes
    ----------
    slices, volumes
        Pages of a volume, and how many volumes there are.
    contiguous
        Only the first slice has a page of its own; the others follow its bytes.
    spacing
        (slices, rows, columns), mm.
    mixed
        Pages of several channels, times or series follow one another, not slices.
    said
        Pages that the description tells of, 0 if it tells of none.
    note
        What our own writer left, with the grid of the original.
    """

    slices: int
    volumes: int
    contiguous: bool
    spacing: tuple[float, float, float]
    warnings: list[str]
    mixed: bool = False
    note: dict[str, Any] | None = None
    said: int = 0


def stack_of(page: Any, description: str, pages: int, size: int) -> Stack:
    """The stack that a first page and its description tell of.

    Parameters
    ----------
    page
        First page, a tifffile `TiffPage`.
    description
        Its ImageDescription.
    pages, size
        Pages found, and bytes of the file.
    """
    note, z, unit = None, 0.0, None
    if description.startswith("ImageJ="):
        pairs = dict(line.split("=", 1) for line in description.splitlines() if "=" in line)
        said, z, unit = _imagej(pairs)
        volumes, mixed = _hyperstack(pairs)
        note = _own_note(pairs.get("spineseg", ""))
    elif "<OME" in description[:4096]:
        return _ome_stack(description, pages)
    else:
        said, volumes, mixed = _shaped(description)
    contiguous = False
    images = pages
    if said > pages == 1 and len(page.dataoffsets) == 1 and int(page.compression) == 1:
        needed = page.dataoffsets[0] + said * page.databytecounts[0]
        contiguous = needed <= size
        images = said if contiguous else pages
    if images != said:
        volumes, mixed = 1, False
    elif images % volumes:
        volumes = 1
    rows, columns, warnings = _in_plane(page, unit)
    if not z:
        z = 1.0
        if warnings[:1] == [_NO_SPACING.format("pixel")]:
            warnings[0] = _NO_SPACING.format("pixel or slice")
        else:
            warnings.append(_NO_SPACING.format("slice"))
    return Stack(images // volumes, volumes, contiguous, (z, rows, columns), warnings, mixed, note, said)


def _imagej(pairs: dict[str, str]) -> tuple[int, float, float | None]:
    """Number of images, slice spacing in mm (0 unknown) and mm a unit (None unknown)."""
    unit = _MM.get(pairs.get("unit", "").strip().lower())
    spacing = _positive(pairs.get("spacing"))
    return _whole(pairs.get("images")), spacing * unit if unit else 0.0, unit


def _hyperstack(pairs: dict[str, str]) -> tuple[int, bool]:
    """Volumes of an ImageJ stack, and whether channels alternate in it."""
    slices, frames, channels = (_whole(pairs.get(k)) or 1 for k in ("slices", "frames", "channels"))
    # Where only one of the three counts, nobody told the program what the third axis is: slices.
    if slices > 1 or min(frames, channels) > 1:
        return frames, channels > 1
    return 1, False


def _shaped(description: str) -> tuple[int, int, bool]:
    """Pages, volumes and whether these alternate, as tifffile writes them: `{"shape": [2, 5, 14, 12]}`."""
    try:
        said = json.loads(description)
    except ValueError:
        return 0, 1, False
    shape, axes = (said.get(key) for key in ("shape", "axes")) if isinstance(said, dict) else (None, None)
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        return 0, 1, False
    named = axes if isinstance(axes, str) and len(axes) == len(shape) else "Z" * len(shape)
    counting = [(n, axis) for n, axis in zip(shape[:-2], named, strict=False) if n > 1]
    if len(counting) < 2:
        return math.prod(shape[:-2]), 1, False
    return math.prod(shape[:-2]), counting[0][0], len(counting) > 2 or counting[1][1] != "Z"


def _own_note(text: str) -> dict[str, Any] | None:
    note = left_note(text)
    if note is None or not _is_matrix(note.get("affine")) or not _is_shape(note.get("shape")):
        return None
    return note


def _is_matrix(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(row, list) and len(row) == 4 for row in value)
        and all(isinstance(v, int | float) for row in value for v in row)
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(isinstance(n, int) and n > 0 for n in value)


def _in_plane(page: Any, unit: float | None) -> tuple[float, float, list[str]]:
    """Row and column spacing from the resolution tags, mm, and what to say about them."""
    per_unit = [_rational(page.tags.get(code)) for code in (283, 282)]
    code = page.tags.get(296)
    kind = int(code.value) if code is not None else 2
    length = unit or {2: 25.4, 3: 10.0}.get(kind)
    if length is None or not all(per_unit):
        return 1.0, 1.0, [_NO_SPACING.format("pixel")]
    rows, columns = (length / value for value in per_unit)
    if unit is None and kind == 2 and per_unit[0] in _PRINTER_DPI:
        said = f"{rows:.3g} mm comes from a print resolution of {per_unit[0]:g} dpi"
        return rows, columns, [f"The pixel spacing of {said}: check it."]
    return rows, columns, []


def _rational(tag: Any) -> float:
    """Value of a resolution tag, 0 if it says nothing."""
    try:
        top, bottom = tag.value
        value = top / bottom
    except (AttributeError, TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _ome_stack(description: str, pages: int) -> Stack:
    """OME-XML, read with patterns: no XML parser, so no entity or outside reference is ever resolved."""
    found = re.search(r"<Pixels\b[^>]{0,4000}", description)
    attributes = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', found.group(0))) if found else {}
    sizes = {}
    for axis in "XYZ":
        unit = _MM.get(attributes.get(f"PhysicalSize{axis}Unit", "µm").lower(), 0.0)
        sizes[axis] = _positive(attributes.get(f"PhysicalSize{axis}")) * unit
    warnings = []
    if not all(sizes.values()):
        missing = ", ".join(axis for axis in "XYZ" if not sizes[axis])
        warnings.append(f"The TIFF gives no spacing along {missing}; 1 mm is assumed.")
    times, channels, slices = (max(1, _whole(attributes.get(f"Size{axis}"))) for axis in "TCZ")
    said = times * channels * slices
    if said > pages and "FileName=" in description:
        warnings.append(f"The TIFF is one file of several: of {said} slices, {pages} are in it.")
        said = pages
    times = times if pages % times == 0 else 1
    order = attributes.get("DimensionOrder", "XYZCT")
    mixed = channels > 1 or (times > 1 and order.find("T") < order.find("Z"))
    mixed = mixed or description.count("<Pixels") > 1
    spacing = (sizes["Z"] or 1.0, sizes["Y"] or 1.0, sizes["X"] or 1.0)
    return Stack(pages // times, times, False, spacing, warnings, mixed, said=said)


def _positive(text: str | None) -> float:
    """A finite size without its sign, 0 if there is none."""
    try:
        value = abs(float(text or 0))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _whole(text: str | None) -> int:
    try:
        return max(0, int(text or 0))
    except ValueError:
        return 0
