"""A segmentation at one glance: a few sagittal slices with coloured labels and a legend, as a PNG.

For where there is no window: the demo without a display, batch runs, reports.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from napari_spineseg.anatomy import Scheme, colour_of, names_of
from napari_spineseg.grid import Grid
from napari_spineseg.scan import Scan, Segmentation

PANEL_HEIGHT = 640
_MARGIN = 16
_FONT_SIZE = 16
_LINE = 24
_LEGEND_WIDTH = 170
_OPACITY = 0.45
_INK, _PAPER = "#e8e8e8", "#16181c"


def write_overview(scan: Scan, segmentation: Segmentation, path: Path, caption: str = "") -> None:
    """Write `overview` to `path` as a PNG."""
    Image.fromarray(overview(scan, segmentation, caption)).save(path, format="PNG")


def overview(scan: Scan, segmentation: Segmentation, caption: str = "", panels: int = 4) -> np.ndarray:
    """Draw `panels` sagittal slices of `scan` under `segmentation`: (rows, columns, 3) uint8.

    The first panel is the plain slice in the middle of what was found, the others carry the
    labels: the same slice, and slices to either side of it.
    """
    turn = scan.grid.to_orientation()
    image, labels = turn.apply(scan.voxels), turn.apply(segmentation.labels)
    middle, *others = _slices_to_show(labels, panels)
    drawn = [_panel(image[middle], None, turn.grid, segmentation.scheme)]
    for index in (middle, *others):
        drawn.append(_panel(image[index], labels[index], turn.grid, segmentation.scheme))
    return np.asarray(_page(drawn, _legend(segmentation), caption or scan.name))


def _slices_to_show(labels: np.ndarray, panels: int) -> list[int]:
    """The slice in the middle of the labelled ones, then slices to its left and right."""
    used = np.flatnonzero(labels.any((1, 2)))
    if used.size == 0:
        used = np.arange(len(labels))
    shares = [0.5, 0.3, 0.7, 0.15, 0.85][: max(1, panels - 1)]
    return list(dict.fromkeys(int(used[round(share * (used.size - 1))]) for share in shares))


def _panel(image: np.ndarray, labels: np.ndarray | None, grid: Grid, scheme: Scheme) -> Image.Image:
    """One slice, (height, width), in true proportions."""
    rgb = np.repeat(greyscale(image)[..., None], 3, axis=2)
    if labels is not None:
        for label in np.unique(labels[labels > 0]):
            here = labels == label
            colour = np.array(rgb_of(colour_of(int(label), scheme)))
            rgb[here] = (1 - _OPACITY) * rgb[here] + _OPACITY * colour
    _, row_mm, column_mm = grid.spacing
    height, width = image.shape[0] * row_mm, image.shape[1] * column_mm
    # A volume that is not sagittal has few rows or columns: keep its panel within reason.
    panel_width = int(np.clip(PANEL_HEIGHT * width / height, PANEL_HEIGHT // 8, PANEL_HEIGHT * 2))
    return Image.fromarray(rgb.astype(np.uint8)).resize(
        (panel_width, PANEL_HEIGHT), Image.Resampling.BILINEAR
    )


def greyscale(image: np.ndarray) -> np.ndarray:
    """Window a slice between its 1st and 99.5th percentile: float32, 0 to 255."""
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0.0, neginf=0.0)
    low, high = np.percentile(values, (1, 99.5))
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255


def _legend(segmentation: Segmentation) -> list[tuple[str, str]]:
    """(colour, name) of each label that is there, vertebrae from the top of the body down."""
    found = segmentation.found()
    names = names_of(found, segmentation.scheme, segmentation.numbering)
    order = sorted(found, key=lambda n: (n // 100, -n))
    return [(colour_of(n, segmentation.scheme), names[n]) for n in order]


def _page(panels: list[Image.Image], legend: list[tuple[str, str]], caption: str) -> Image.Image:
    """Panels side by side, caption above, legend to the right."""
    top = 2 * _MARGIN + _LINE
    width = sum(p.width + _MARGIN for p in panels) + _MARGIN + _LEGEND_WIDTH
    page = Image.new("RGB", (width, max(PANEL_HEIGHT, len(legend) * _LINE) + top + _MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_FONT_SIZE)
    draw.text((_MARGIN, _MARGIN), drawable(caption), fill=_INK, font=font)
    left = _MARGIN
    for panel in panels:
        page.paste(panel, (left, top))
        left += panel.width + _MARGIN
    for row, (colour, name) in enumerate(legend):
        y = top + row * _LINE
        draw.rectangle((left, y + 3, left + 14, y + 17), fill=colour)
        draw.text((left + 24, y), drawable(name), fill=_INK, font=font)
    return page


def drawable(text: str) -> str:
    """`text` in characters that Pillow's own font has."""
    return text.replace("–", "-").encode("latin-1", "replace").decode("latin-1")


def rgb_of(colour: str) -> tuple[int, int, int]:
    """(red, green, blue) of "#rrggbb"."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
