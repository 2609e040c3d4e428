"""The pictures of a report: in true proportions whatever the voxels, along the spine, with lines in place."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from measure_kit import block_spine, scan_of
from PIL import Image

from napari_spineseg.anatomy import colour_of
from napari_spineseg.measurement.catalogue import CATALOGUE
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.picture import LINES, kind_of_line, pictures_of
from napari_spineseg.measurement.picture_front import front_view
from napari_spineseg.measurement.picture_section import section_of
from napari_spineseg.overview import rgb_of
from napari_spineseg.scan import Segmentation

NOTHING = Measurements(())


def middle_of(segmentation: Segmentation, label: int) -> np.ndarray:
    """RAS mm."""
    index = np.argwhere(segmentation.labels == label).mean(0)
    return segmentation.affine[:3, :3] @ index + segmentation.affine[:3, 3]


def turned(segmentation: Segmentation, codes: tuple[str, str, str]) -> Segmentation:
    turn = segmentation.grid.to_orientation(codes)
    return replace(segmentation, labels=turn.apply(segmentation.labels), affine=turn.grid.affine)


@pytest.mark.parametrize(
    ("spacing", "codes"),
    list(product([(4.0, 2.0, 1.0), (1.0, 0.5, 3.0)], [("R", "I", "P"), ("L", "A", "S"), ("S", "P", "R")])),
)
def test_proportions_are_true_in_any_orientation(spacing, codes):
    segmentation = turned(block_spine(spacing=spacing), codes)
    section = section_of(segmentation, None)
    rows, columns = np.nonzero(section.labels == 2)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert height / section.pixels_per_mm == pytest.approx(12 * spacing[1], abs=1.2)
    assert width / section.pixels_per_mm == pytest.approx(32 * spacing[2], abs=1.2)
    # The front of the body is on the left, its head above.
    assert np.nonzero(section.labels == 100)[1].mean() > columns.mean()
    assert np.nonzero(section.labels == 3)[0].mean() < rows.mean()


@pytest.mark.parametrize("lean", [0, 7])
def test_places_in_the_patient_are_found_in_the_picture(lean):
    segmentation = block_spine(lean)
    section = section_of(segmentation, scan_of(segmentation))
    for label in (1, 2, 3, 201, 202, 203, 100):
        (x, y) = section.place(middle_of(segmentation, label)[None])[0]
        assert section.labels[int(y), int(x)] == label
        assert section.image[int(y), int(x)] > 140


def test_a_straight_spine_is_shown_in_one_slice():
    section = section_of(block_spine(), None)
    assert section.words == "slice 5 of 9, counted from the left"


def test_a_leaning_spine_is_followed_from_side_to_side():
    """Its middle slice alone would show one level; and millimetres down the surface are true."""
    straight, leaning = section_of(block_spine(), None), section_of(block_spine(10), None)
    assert "along the spine" in leaning.words
    for label in (1, 2, 3):
        areas = [np.count_nonzero(s.labels == label) / s.pixels_per_mm**2 for s in (straight, leaning)]
        slope = np.hypot(1, 10 * 4 / (70 * 2))
        assert areas[1] == pytest.approx(areas[0] * slope, rel=0.06)


def test_a_spine_that_leaves_the_scan_to_a_side_is_shown_to_its_end():
    leaning = block_spine(lean=20)
    segmentation = replace(leaning, labels=leaning.labels[:13])
    section = section_of(segmentation, scan_of(segmentation))
    assert (section.image > 60).mean() > 0.99  # what is no part of the scan is 0


@pytest.mark.parametrize(
    "labels",
    [
        np.full((1, 1, 1), 3),
        np.full((1, 40, 30), 1),
        np.full((30, 1, 40), 201),
        np.pad(np.full((1, 1, 1), 100), 9),
    ],
)
def test_scraps_of_labels_are_drawn_all_the_same(labels):
    segmentation = Segmentation(labels.astype(np.uint16), np.eye(4))
    assert len(pictures_of(NOTHING, segmentation)) == 2


def test_without_labels_there_is_no_picture():
    assert pictures_of(NOTHING, replace(block_spine(), labels=0 * block_spine().labels)) == ()


def pixels_of(picture: np.ndarray, colour: str) -> np.ndarray:
    return (picture == np.array(rgb_of(colour))).all(2)


@pytest.mark.parametrize("with_scan", [True, False])
def test_outlines_have_the_colours_of_the_levels(with_scan):
    segmentation = block_spine()
    levels, _ = pictures_of(NOTHING, segmentation, scan_of(segmentation) if with_scan else None)
    section = section_of(segmentation, None)
    for label in (1, 2, 201, 202, 100):
        where = pixels_of(levels.pixels, colour_of(label))
        assert where.sum() > 100
        assert (section.labels[where] == label).mean() > 0.9
    assert "L5–L3" in levels.alt


def test_lines_are_drawn_where_figures_were_taken():
    segmentation = block_spine()
    line = tuple(tuple(middle_of(segmentation, label)) for label in (1, 3))
    depth = tuple(tuple(middle_of(segmentation, label)) for label in (2, 100))
    figures = (
        Figure("body_height_middle", 1, "L5", 20.0, marks=(line,)),
        Figure("body_depth", 2, "L4", 20.0, marks=(depth,)),
        Figure("coronal_cobb", 0, "spine", 20.0, marks=(depth, line)),
    )
    _, bare = pictures_of(NOTHING, segmentation)
    _, drawn, _ = pictures_of(Measurements(figures), segmentation)
    section = section_of(segmentation, None)
    for kind, points in (("height", line), ("depth", depth)):
        ends = section.place(np.array(points))
        for x, y in np.linspace(*ends, 20)[1:-1].astype(int):
            near = drawn.pixels[y - 3 : y + 4, x - 3 : x + 4]
            assert pixels_of(near, LINES[kind][0]).any()
            assert not pixels_of(bare.pixels[y - 3 : y + 4, x - 3 : x + 4], LINES[kind][0]).any()
    assert drawn.caption == "Where it was measured: heights (white), depths (yellow)."
    assert "No line" in bare.caption


@pytest.mark.parametrize("codes", [("R", "I", "P"), ("L", "A", "S"), ("S", "P", "R")])
def test_the_view_from_the_front_is_a_radiographs(codes):
    """The patient's right on the left, the head above, millimetres alike in both directions; no arches."""
    view = front_view(turned(block_spine(lean=8), codes))
    assert set(np.unique(view.labels)) == {0, 1, 2, 3, 201, 202, 203}
    sizes = {}
    for label in (1, 2, 3, 201):
        x, y = view.place(middle_of(block_spine(lean=8), label)[None])[0]
        assert view.labels[int(y), int(x)] == label
        rows, columns = np.nonzero(view.labels == label)
        sizes[label] = rows.mean(), columns.mean(), np.ptp(rows) + 1
    assert sizes[3][0] < sizes[2][0] < sizes[1][0]
    # The spine leans to the right on its way down.
    assert sizes[3][1] > sizes[2][1] > sizes[1][1]
    assert sizes[2][2] / view.pixels_per_mm == pytest.approx(24, abs=1)


def test_the_view_from_the_front_is_there_for_an_angle_that_is_known():
    segmentation = block_spine()
    line = tuple(tuple(middle_of(segmentation, label)) for label in (1, 3))
    known = Figure("coronal_cobb", 0, "spine", 12.34, marks=(line,))
    missing = Figure("coronal_cobb", 0, "spine", None, "The scan shows too little of the sides.")
    assert len(pictures_of(Measurements((missing,)), segmentation)) == 2
    _, _, front = pictures_of(Measurements((known,)), segmentation)
    assert "12.3°" in front.caption
    assert pixels_of(front.pixels, LINES["lordosis"][0]).sum() > 100


def test_every_measure_with_a_place_in_this_plane_has_a_colour():
    without = {key for key in CATALOGUE if kind_of_line(key) is None}
    assert {"coronal_cobb", "vertebra_volume", "disc_volume"} <= without
    assert not {key for key in without if "height" in key or "depth" in key or "slip" in key}


def test_a_picture_is_a_png_of_reasonable_size():
    picture, _ = pictures_of(NOTHING, block_spine(), scan_of(block_spine()))
    with Image.open(BytesIO(picture.png)) as image:
        assert image.format == "PNG"
        assert image.size == picture.pixels.shape[1::-1]
    assert 600 <= picture.pixels.shape[0] <= 1300
