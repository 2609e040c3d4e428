"""The pictures of a report: the spine cut along its middle, its levels, and where figures were taken."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import label as components_of

from napari_spineseg.anatomy import Numbering, Structure, colour_of, structure_of
from napari_spineseg.anatomy_words import summarise
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.picture_front import FrontView, front_view
from napari_spineseg.measurement.picture_section import Section, section_of
from napari_spineseg.measurement.table import shown
from napari_spineseg.overview import drawable, greyscale, rgb_of
from napari_spineseg.scan import Scan, Segmentation

LINES = {
    "height": ("#ffffff", "heights", "white"),
    "depth": ("#f0e442", "depths", "yellow"),
    "canal": ("#44ddaa", "canal", "green"),
    "slip": ("#ff7f2a", "slip", "orange"),
    "lordosis": ("#ff9ad5", "lordosis", "pink"),
}
"""Lines of a kind of measure: their colour, what they show, and the colour's name.

The lines have a dark rim, so that they are seen on light tissue and on dark.
"""
FROM_THE_FRONT = "coronal_cobb"
"""The measure whose lines only a view from the front shows; in the colour of lordosis, the other angle."""

_FILL, _FILL_WITHOUT_SCAN, _FILL_UNDER_LINES = 0.12, 0.6, 0.0
_GROUND, _INK = "#101216", "#ffffff"
# Smaller than this, pixels of a section are crumbs that deserve no name.
_LEAST_NAMED = 40


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with what a person who does not see it is told.

    Attributes
    ----------
    pixels
        (height, width, 3) uint8.
    alt
        What it shows.
    caption
        What a person should know who sees it.
    """

    pixels: np.ndarray
    alt: str
    caption: str

    @property
    def png(self) -> bytes:
        """As the bytes of a PNG file."""
        file = BytesIO()
        # `optimize` makes it a tenth smaller and ten times as slow.
        Image.fromarray(self.pixels).save(file, format="PNG")
        return file.getvalue()


def pictures_of(
    measurements: Measurements, segmentation: Segmentation, scan: Scan | None = None
) -> tuple[Picture, ...]:
    """The levels along the spine, and the lines that were measured; empty where there is no label.

    Where the coronal angle is known, a third shows it from the front. `scan` is on the segmentation's
    grid; without it the labels alone are drawn.
    """
    section = section_of(segmentation, scan)
    if section is None:
        return ()
    numbering = segmentation.numbering
    pictures = _levels(section, numbering), _lines(section, numbering, measurements)
    angles = [f for f in measurements.figures if f.key == FROM_THE_FRONT and f.value is not None and f.marks]
    view = front_view(segmentation) if angles else None
    return pictures if view is None else (*pictures, _front(view, numbering, angles[0]))


def kind_of_line(key: str) -> str | None:
    """Which of `LINES` a measure belongs to; None for one whose lines lie in another plane.

    >>> kind_of_line("canal_depth"), kind_of_line("body_height_middle"), kind_of_line("coronal_cobb")
    ('canal', 'height', None)
    """
    order = ("canal", "slip", "lordosis", "height", "depth")
    return next((word for word in order if word in key), None)


def _levels(section: Section, numbering: Numbering) -> Picture:
    """The section with outlines in the colours of the levels, and their names."""
    fill = _FILL if section.image is not None else _FILL_WITHOUT_SCAN
    picture = Image.fromarray(_coloured(section, fill, width=2))
    draw = ImageDraw.Draw(picture)
    found = [int(n) for n in np.unique(section.labels) if n]
    for label in found:
        _name(draw, section, label, numbering.name(label))
    there = summarise(found, numbering)
    ground = "MR image" if section.image is not None else "labels"
    return Picture(
        np.asarray(picture),
        f"Sagittal {ground}, {section.words}, with outlines and names of what is labelled there: {there}.",
        f"Labelled in this section: {there}. {section.words[:1].upper()}{section.words[1:]}.",
    )


def _lines(section: Section, numbering: Numbering, measurements: Measurements) -> Picture:
    """The section with faint outlines and the lines between which was measured."""
    fill = _FILL_UNDER_LINES if section.image is not None else _FILL_WITHOUT_SCAN / 2
    picture = Image.fromarray(_coloured(section, fill, width=1, outline=0.7))
    draw = ImageDraw.Draw(picture)
    for label in {figure.label for figure in measurements.figures if figure.marks}:
        if structure_of(label) is Structure.VERTEBRA:
            _name(draw, section, label, numbering.name(label), in_front=True)
    drawn: set[str] = set()
    for figure in measurements.figures:
        kind = kind_of_line(figure.key)
        if kind is None or figure.value is None:
            continue
        for line in figure.marks:
            _line(draw, section.place(np.asarray(line, float).reshape(-1, 3)), LINES[kind][0])
            drawn.add(kind)
    kinds = ", ".join(f"{LINES[kind][1]} ({LINES[kind][2]})" for kind in LINES if kind in drawn)
    words = f"Where it was measured: {kinds}." if kinds else "No line was measured in this plane."
    return Picture(np.asarray(picture), f"The same section with the lines that were measured. {words}", words)


def _front(view: FrontView, numbering: Numbering, angle: Figure) -> Picture:
    """The column from the front, with the two endplates of its largest angle."""
    picture = Image.fromarray(_coloured(view, _FILL_WITHOUT_SCAN / 2, width=2))
    draw = ImageDraw.Draw(picture)
    for label in (int(n) for n in np.unique(view.labels) if structure_of(int(n)) is Structure.VERTEBRA):
        _name(draw, view, label, numbering.name(label))
    colour, _, named = LINES["lordosis"]
    for line in angle.marks:
        _line(draw, view.place(np.asarray(line, float).reshape(-1, 3)), colour, width=5)
    height, width = view.labels.shape
    font = ImageFont.load_default(min(24.0, width / 7))
    for place, letter, anchor in (((4, height - 6), "R", "ls"), ((width - 4, height - 6), "L", "rs")):
        draw.text(place, letter, fill=_INK, font=font, anchor=anchor)
    words = (
        "From the front, the patient’s right on the left: labels of bodies and discs, and the two endplates "
        f"({named}) of the coronal Cobb angle, {shown(angle)}."
    )
    return Picture(np.asarray(picture), words, words)


def _coloured(section: Section | FrontView, fill: float, width: int, outline: float = 1.0) -> np.ndarray:
    """(height, width, 3) uint8: the scan, or darkness, under filled and outlined labels."""
    if section.image is None:
        rgb = np.broadcast_to(np.float32(rgb_of(_GROUND)), (*section.labels.shape, 3)).copy()
    else:
        rgb = np.repeat(greyscale(section.image)[..., None], 3, axis=2)
    labels = section.labels
    colours = np.zeros((int(labels.max()) + 1, 3), np.float32)
    for label in np.unique(labels[labels > 0]):
        colours[label] = rgb_of(colour_of(int(label)))
    share = np.where(_rim(labels, width), np.float32(outline), np.float32(fill)) * (labels > 0)
    return (rgb + share[..., None] * (colours[labels] - rgb)).astype(np.uint8)


def _rim(labels: np.ndarray, width: int) -> np.ndarray:
    """Pixels within `width` of a pixel of another label."""
    rim = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        for step in range(1, width + 1):
            for shift in (step, -step):
                rim |= np.roll(labels, shift, axis) != labels
    return rim


def _name(
    draw: ImageDraw.ImageDraw, section: Section | FrontView, label: int, name: str, in_front: bool = False
) -> None:
    """Write the name of a level: a vertebra's on its body unless `in_front` of it, others' in front."""
    pieces, count = components_of(section.labels == label)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if not count or sizes.max() < _LEAST_NAMED or structure_of(label) is Structure.CANAL:
        return
    rows, columns = np.nonzero(pieces == 1 + int(sizes.argmax()))
    scale = section.pixels_per_mm
    if structure_of(label) is Structure.VERTEBRA and not in_front:
        x, anchor, size = columns.mean(), "mm", 7.5 * scale
    else:
        size = 4.5 * scale
        level = section.labels[np.abs(np.arange(len(section.labels)) - rows.mean()) < 0.6 * size]
        # In front of its neighbours too, whose corners may reach beyond it.
        x, anchor = np.flatnonzero(level.any(0))[0] - 2 * scale, "rm"
    # A level that the edge of the picture cuts keeps its name whole.
    y = float(np.clip(rows.mean(), 0.6 * size, max(0.6 * size, len(section.labels) - 0.6 * size)))
    draw.text(
        (x, y),
        drawable(name),
        fill=_INK,
        font=ImageFont.load_default(max(9.0, size)),
        anchor=anchor,
        stroke_width=max(1, round(size / 9)),
        stroke_fill=_GROUND,
    )


def _line(draw: ImageDraw.ImageDraw, points: np.ndarray, colour: str, width: int = 2) -> None:
    """A line with a dark rim; a place of its own where it is one point only."""
    flat = [tuple(map(float, point)) for point in points]
    if len(flat) < 2:
        (x, y) = flat[0]
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour, outline=_GROUND)
        return
    draw.line(flat, fill=_GROUND, width=width + 2, joint="curve")
    draw.line(flat, fill=colour, width=width, joint="curve")
