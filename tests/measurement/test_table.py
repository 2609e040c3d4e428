"""Figures as rows: what a spreadsheet, a program and a person get to see."""

from __future__ import annotations

import csv
import json

import pytest

from napari_spineseg.measurement.catalogue import CATALOGUE
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.table import COLUMNS, MISSING, as_dict, csv_text, shown

MEASUREMENTS = Measurements(
    (
        Figure("slip", 201, "L5/S1", None, "S1 is not labelled, so there is nothing to slip on."),
        Figure("body_depth", 1, "L5", 34.56789, marks=(((1.234, 2.0, 3.0), (1.0, 36.5, 3.0)),)),
        Figure("canal_area", 202, "L4/L5", 181.2, caution='Cut by the edge, "so" they say, of the scan.'),
        Figure("lordosis", 0, "spine", -12.0),
    ),
    ("L6 is doubtful.",),
    {"segmentation": "a_seg"},
)


def test_every_figure_is_a_row_that_explains_itself():
    table = list(csv.DictReader(csv_text(MEASUREMENTS).splitlines()))
    assert tuple(table[0]) == COLUMNS
    assert {row["segmentation"] for row in table} == {"a_seg"}
    assert [row["level"] for row in table] == ["L5/S1", "L5", "L4/L5", "spine"]
    assert [row["value"] for row in table] == ["", "34.568", "181.2", "-12.0"]
    assert [row["unit"] for row in table] == ["mm", "mm", "mm²", "°"]
    assert table[0]["reason"] == MEASUREMENTS.figures[0].reason
    assert table[2]["caution"] == MEASUREMENTS.figures[2].caution
    for row in table:
        assert row["measure"] == CATALOGUE[row["key"]].title
        assert row["definition"] == CATALOGUE[row["key"]].definition


def test_the_dict_is_strict_json_and_keeps_where_figures_were_taken():
    content = json.loads(json.dumps(as_dict(MEASUREMENTS), allow_nan=False))
    assert content["warnings"] == ["L6 is doubtful."]
    missing, depth, *_ = content["figures"]
    assert missing["value"] is None
    assert missing["reason"].startswith("S1")
    assert depth["marks_mm"] == [[[1.23, 2.0, 3.0], [1.0, 36.5, 3.0]]]


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure("slip", 202, "L4/L5", None, "no L4"), MISSING),
        (Figure("slip", 202, "L4/L5", -0.04), "0.0 mm"),
        (Figure("slip", 202, "L4/L5", -4.26), "−4.3 mm"),
        (Figure("lordosis", 0, "spine", 41.26), "41.3°"),
        (Figure("disc_height_index", 202, "L4/L5", 27.6), "28 %"),
        (Figure("wedge_ratio", 1, "L5", 1.004), "1.00"),
    ],
)
def test_units_are_always_shown(figure, words):
    assert shown(figure) == words


def test_a_number_without_its_unit_is_for_columns_that_have_one():
    assert shown(Figure("slip", 202, "L4/L5", 4.26), unit=False) == "4.3"
