"""The card's words and what is copied, without a window."""

from __future__ import annotations

import csv
import io

from napari_spineseg.anatomy import Numbering
from napari_spineseg.measurement import CATALOGUE, Figure, Measurements
from napari_spineseg.widgets.measure.words import as_text, doubt_of, headline_of, remark_of, sentence_of

HEIGHT, RATIO = CATALOGUE["body_height_anterior"], CATALOGUE["wedge_ratio"]


def test_a_spreadsheet_gets_numbers_under_headings_with_units():
    rows = [
        [
            Figure(HEIGHT.key, 2, "L4", 27.44),
            Figure(RATIO.key, 2, "L4", None, "no posterior height"),
        ],
        [Figure("slip", 202, "L4/L5", -1.26), Figure(RATIO.key, 1, "L5", 0.9, caution="one, two\tthree")],
    ]
    lines = list(csv.reader(io.StringIO(as_text(rows, [HEIGHT, RATIO])), delimiter="\t"))
    assert lines[0] == ["Level", "Body height, anterior (mm)", "Anterior / posterior height", "Notes"]
    assert lines[1] == ["L4", "27.4", "", "Anterior / posterior height: No posterior height"]
    assert float(lines[2][1]) == -1.3 and len(lines[2]) == 4


def test_without_anything_to_say_there_are_no_notes():
    text = as_text([[Figure(HEIGHT.key, 1, "L5", 27.0)]], [HEIGHT])
    assert text == "Level\tBody height, anterior (mm)\nL5\t27.0\n"


def test_the_card_counts_what_is_missing_and_doubtful():
    figures = (
        Figure(HEIGHT.key, 1, "L5", None, "cut"),
        Figure(HEIGHT.key, 2, "L4", 27.0, caution="slanted"),
        Figure(HEIGHT.key, 3, "L3", 27.0),
    )
    assert headline_of(Measurements(figures), Numbering()) == "L5–L3 measured"
    assert headline_of(Measurements(figures), Numbering(lumbar=6)) == "L6–L4 measured"
    assert remark_of(Measurements(figures)) == "1 figure missing; 1 to look at"
    assert remark_of(Measurements(figures[2:])) == "Every figure is known."
    assert (headline_of(Measurements(()), Numbering()), remark_of(Measurements(()))) == (
        "Nothing measured",
        "",
    )


def test_the_card_says_why_most_of_what_is_missing_is():
    reasons = (
        "it is cut off by the left and right edges of the scan",
        "T11: its body is cut off by the upper edge of the scan",
        "the sacrum is not labelled",
    )
    missing = tuple(Figure(HEIGHT.key, n, "L5", None, reason) for n, reason in enumerate(reasons, 1))
    remark = "3 figures missing, 2 of them cut off by the edges of the scan"
    assert remark_of(Measurements(missing)) == remark
    assert remark_of(Measurements(missing[:2])) == "2 figures missing, all cut off by the edges of the scan"
    assert remark_of(Measurements(missing[1:])) == "2 figures missing"
    sentence = "L4: The spinal canal is not labelled beside it."
    alike = tuple(Figure(HEIGHT.key, n, "L5", None, sentence) for n in (1, 2))
    assert remark_of(Measurements(alike)) == (
        "2 figures missing, all because the spinal canal is not labelled beside it"
    )


def test_one_figure_in_words():
    figure = Figure("slip_share", 202, "L4/L5", 12.4, caution="the corner is rounded")
    assert (
        sentence_of(figure) == "L4/L5, Slip / endplate: 12 %" and doubt_of(figure) == "The corner is rounded."
    )
    assert sentence_of(Figure("lordosis", 0, "spine", 40.0)) == "Lordosis L1–L5: 40.0°"
    assert doubt_of(Figure("lordosis", 0, "spine", 40.0)) == ""
