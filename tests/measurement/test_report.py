"""The report as a browser gets it: whole, honest about what is missing, and harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from measure_kit import block_spine, scan_of

from napari_spineseg.measurement import MeasureSettings
from napari_spineseg.measurement.catalogue import CATALOGUE
from napari_spineseg.measurement.figures import Figure, Measurements
from napari_spineseg.measurement.picture import pictures_of
from napari_spineseg.measurement.record import record_of
from napari_spineseg.measurement.report import report_html
from napari_spineseg.measurement.table import shown

_VOID = {"meta", "img", "br", "link", "input", "hr", "base", "embed", "source"}
FIGURES = (
    Figure("slip", 202, "L4/L5", -3.14),
    Figure("canal_area", 202, "L4/L5", 181.2, caution="the canal is cut off"),
    Figure("body_depth", 1, "L5", 34.56),
    Figure("vertebra_volume", 1, "L5", None, "It is cut off by the edge of the scan."),
    Figure("body_depth", 2, "L4", None, "It is cut off by the edge of the scan."),
    Figure("lordosis", 0, "spine", 41.26),
)
MEASUREMENTS = Measurements(FIGURES, ("The lowest level is doubtful.",))


@dataclass
class Page(HTMLParser):
    """A page taken apart; refuses tags that do not close in the order in which they were opened."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    cells: list[tuple[str, dict[str, str | None], str]] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self.cells.append((tag, dict(attrs), ""))
        if tag not in _VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open_tags.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open_tags):
            tag, attributes, words = self.cells[-1]
            self.cells[-1] = tag, attributes, words + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open_tags == []
    return page


def make(measurements=MEASUREMENTS, segmentation=None, scan=None, files=None, settings=None) -> str:
    segmentation = segmentation or block_spine()
    record = record_of(measurements, segmentation, scan, settings, files)
    return report_html(measurements, segmentation, scan, record)


@pytest.fixture(scope="module")
def html() -> str:
    return make(scan=scan_of(block_spine()))


def test_it_needs_nothing_beside_it(html):
    page = parsed(html)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    assert "http:" not in html
    assert "https:" not in html
    assert re.findall(r"url\(|@import", html) == []
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("src", "data:").startswith("data:image/png;base64,") or tag != "img"
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert "default-src 'none'" in policy


def test_who_does_not_see_it_is_told_what_there_is(html):
    page = parsed(html)
    assert page.all("html") == [{"lang": "en"}]
    images = page.all("img")
    assert len(images) == 2
    assert all(
        "L5–L3" in image["alt"] or "heights" in image["alt"] or "lines" in image["alt"] for image in images
    )
    for attributes in page.all("th"):
        assert attributes.get("scope") in ("col", "row", "rowgroup")
    captions = re.findall(r"<caption>(.*?)</caption>", html)
    assert captions == ["Vertebrae", "Slip and canal at the discs", "The whole spine"]


def test_what_matters_comes_first(html):
    order = [
        "Research use only",
        "The lowest level is doubtful.",
        "<img ",
        "<caption>",
        "Definitions",
        "SHA-256",
    ]
    html = make(scan=scan_of(block_spine()), files={"input": {"sha256": "ab" * 32}})
    places = [html.index(words) for words in order]
    assert places == sorted(places)


def test_every_figure_is_shown_with_its_unit(html):
    cells = [words for _, _, words in parsed(html).cells]
    for figure in FIGURES:
        if figure.value is not None:
            words = shown(figure, unit=figure.measure.of == "spine")
            assert any(cell.startswith(words) for cell in cells), words
    for figure in FIGURES:
        if figure.measure.of != "spine":
            assert any(c.startswith(figure.measure.title) and c.endswith(figure.measure.unit) for c in cells)


def test_what_is_missing_or_doubtful_says_why_on_hover_and_on_paper(html):
    page = parsed(html)
    missing = [(a, words) for _, a, words in page.cells if a.get("class") == "none"]
    assert [words for _, words in missing] == ["–1", "–1"]  # one reason, one note
    assert {a["title"] for a, _ in missing} == {"It is cut off by the edge of the scan."}
    ((doubtful, words),) = [(a, words) for _, a, words in page.cells if a.get("class") == "doubt"]
    assert words == "181 !2"
    assert doubtful["title"] == "The canal is cut off."
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} == set(ids)
    assert re.search(r'id="note1".*?It is cut off by the edge of the scan\.</li>', html)


def test_levels_come_from_the_top_of_the_spine_down(html):
    rows = [words for _, a, words in parsed(html).cells if a.get("scope") == "row"]
    assert rows.index("L4") < rows.index("L5")


@pytest.mark.parametrize(
    "nasty", ['<script>alert("1")</script>', "a'b\"c&d<e>", "x\x00\x1b[31m\u202e", "\udcff\ud800"]
)
def test_no_word_from_outside_becomes_more_than_words(nasty):
    """Names, warnings and reasons come from files; the page's tags are our own."""
    plain = parsed(make(named("plain"), replace(block_spine(), name="plain", provenance=model("plain"))))
    segmentation = replace(block_spine(), name=nasty, provenance=model(nasty))
    html = make(named(nasty), segmentation, files={"input": {"path": nasty, "sha256": nasty}})
    page = parsed(html)
    names = [(tag, sorted(attributes)) for tag, attributes in page.tags]
    assert names == [(tag, sorted(attributes)) for tag, attributes in plain.tags]
    html.encode("utf-8")
    assert not set(html) & {"\x00", "\x1b", "\u202e"}


def named(word: str) -> Measurements:
    figures = (Figure("slip", 202, word, 1.0, caution=word), Figure("body_depth", 1, word, None, word))
    return Measurements(figures, (word,))


def model(word: str) -> dict:
    return {"model": {"name": word, "version": word, "sha256": word}}


def test_folders_are_not_passed_on():
    files = {"input": {"path": "/home/smith/Jane Doe/blocks_seg.nii.gz", "sha256": "ab" * 32}}
    html = make(files=files)
    assert "blocks_seg" in html
    assert "Jane" not in html
    assert "ab" * 32 in html


def test_it_says_with_which_model_and_settings():
    segmentation = replace(
        block_spine(), provenance=model("lumbar") | {"labels_changed_since": True}, name="blocks_seg"
    )
    html = make(segmentation=segmentation, settings=MeasureSettings(band_mm=6))
    assert "lumbar lumbar, SHA-256 lumbar; changed since" in html
    assert re.search(r"Midsagittal band.*?<td>6</td>", html)


def test_only_what_was_measured_is_defined(html):
    section = html[html.index("Definitions") :]
    assert CATALOGUE["slip"].source in section
    assert "Canal depth" not in section


def test_nothing_measured_is_a_page_too():
    empty = replace(block_spine(), labels=0 * block_spine().labels)
    html = make(Measurements((), ("Nothing was measured.",)), empty)
    page = parsed(html)
    assert page.all("img") == []
    assert "Nothing was measured." in html
    assert "no picture" in html


def test_every_tumour_is_counted_and_a_picture_counts_its_own_section():
    spine = block_spine()
    labels = spine.labels.copy()
    labels[0, :2, :2], labels[-1, -2:, -2:] = 301, 302
    marked = replace(spine, labels=labels)
    assert "2 tumours" in record_of(MEASUREMENTS, marked)["summary"]
    (levels, *_) = pictures_of(MEASUREMENTS, marked)
    assert levels.caption.startswith("Labelled in this section: ")


def test_every_tumour_has_a_line_with_its_place_and_size():
    spine = block_spine()
    labels = spine.labels.copy()
    inside = np.argwhere(labels == 2)
    middle = tuple(inside[len(inside) // 2])
    labels[middle] = 301
    labels[0, :2, :2] = 302
    marked = replace(spine, labels=labels)
    first, second = record_of(MEASUREMENTS, marked)["tumours"]
    assert (first["label"], first["name"], first["level"], first["voxels"]) == (301, "tumour 1", "L4", 1)
    assert first["place"].startswith("L4 ") and first["mm"] > 0 and second["voxels"] == 4
    np.testing.assert_allclose(first["centre_mm"], (spine.affine @ (*middle, 1))[:3], atol=0.01)
    words = [cell[2] for cell in parsed(make(MEASUREMENTS, marked)).cells]
    at = words.index("tumour 1")
    assert words[at + 1 : at + 4] == [first["place"], f"{first['mm']:.1f}", f"{first['ml']:.2f}"]
    assert "Tumours" not in make(MEASUREMENTS, spine)
    alone = replace(spine, labels=np.where(labels >= 301, labels, 0))
    assert record_of(Measurements((), ()), alone)["summary"] == "2 tumours; no level to measure"
