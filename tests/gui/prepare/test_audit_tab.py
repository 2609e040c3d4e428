"""The audit tab with real clicks: a folder, its findings, the way to each, and the repair."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from gui_kit import add_scan, click, clipped, shown_alone
from qtpy.QtCore import Qt

from napari_spineseg.io import read_segmentation
from napari_spineseg.widgets.prepare.page import PreprocessPage

sys.path.append(str(Path(__file__).parents[2] / "datasets"))
from labelled import image_of, levels, save


@pytest.fixture
def page(model, qtbot):
    """The Prepare page with its audit shown."""
    page = shown_alone(PreprocessPage(model), qtbot)
    click(qtbot, page.tabs.button(1))
    return page


@pytest.fixture
def folder(tmp_path):
    """One sound scan, one with an island and a number outside the scheme, one with levels swapped."""
    place = tmp_path / "data"
    save(place, "1_t2", levels(), image_of(levels(), 1))
    spotted = levels()
    spotted[1, 2, 40] = 3
    spotted[2, 76, 2] = 150
    save(place, "2_t2", spotted, image_of(levels(), 2))
    swapped = levels()
    swapped[levels() == 2], swapped[levels() == 3] = 3, 2
    save(place, "3_t2", swapped, image_of(levels(), 3))
    return place


def audit(page, qtbot, folder) -> None:
    """Type the folder and press *Audit*."""
    page.audit.folder.setText(str(folder))
    with qtbot.waitSignal(page.audit.audited):
        click(qtbot, page.audit.run_bar.button)


def row_of(page, case: str) -> int:
    return next(n for n, finding in enumerate(page.audit.table.rows()) if finding.case == case)


def double_click(page, qtbot, row: int) -> None:
    table = page.audit.table.table
    place = table.visualItemRect(table.item(row, 1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_it_works_without_a_scan_and_says_what_it_wants(model, page, qtbot):
    assert page.audit.isVisible() and "images/" in page.audit.hint.words
    click(qtbot, page.tabs.button(0))
    assert page.empty.isVisible()
    click(qtbot, page.tabs.button(1))
    add_scan(model)
    assert page.audit.isVisible()


def test_findings_are_shown_counted_and_filtered(page, qtbot, folder):
    audit(page, qtbot, folder)
    found = page.audit.report.findings
    assert {f.case for f in found} == {"2_t2", "3_t2"} and page.audit.table.rows() == list(found)
    assert page.audit.card.headline.words.startswith("3 scans, ")
    assert page.audit.card.remark.words == "1 of them without a finding."
    page.audit.table.filter.setFocus()
    qtbot.keyClick(page.audit.table.filter, Qt.Key.Key_Down)
    check = page.audit.table.filter.currentData()
    assert page.audit.table.rows() == [f for f in found if f.check == check] != list(found)
    assert clipped(page) == []


def test_a_finding_opens_its_case_at_its_place(model, page, qtbot, folder):
    audit(page, qtbot, folder)
    row = next(n for n, f in enumerate(page.audit.table.rows()) if f.case == "2_t2" and f.labels == (150,))
    finding = page.audit.table.rows()[row]
    with qtbot.waitSignal(page.audit.opener.opened):
        double_click(page, qtbot, row)
    labels = model.layers["2_t2_labels"]
    assert labels.data[finding.place] == 150
    np.testing.assert_allclose(model.dims.point, labels.data_to_world(finding.place), atol=0.51)
    assert page.session.scan is model.layers["2_t2"]
    with qtbot.waitSignal(page.audit.opener.opened):
        click(qtbot, page.audit.open_button)
    assert len(model.layers) == 2


def test_a_case_that_is_open_already_is_shown_in_place_of_the_one_opened_since(model, page, qtbot, folder):
    audit(page, qtbot, folder)
    for case in ("2_t2", "3_t2", "2_t2"):
        with qtbot.waitSignal(page.audit.opener.opened):
            double_click(page, qtbot, row_of(page, case))
        assert {layer.name for layer in model.layers if layer.visible} == {case, f"{case}_labels"}
    assert len(model.layers) == 4


def test_what_is_safe_is_repaired_in_copies(page, qtbot, folder, tmp_path):
    audit(page, qtbot, folder)
    before = (folder / "2_t2_levels.nii.gz").read_bytes()
    click(qtbot, page.audit.repair_button)
    assert page.audit.repair_folder.text() == str(tmp_path / "data_repaired")
    with qtbot.waitSignal(page.audit.repaired):
        click(qtbot, page.audit.repair_now)
    assert (folder / "2_t2_levels.nii.gz").read_bytes() == before
    mended = read_segmentation(tmp_path / "data_repaired" / "2_t2_levels.nii.gz")
    assert 150 not in mended.labels and mended.labels[mended.labels > 0].size == (levels() > 0).sum()
    assert page.audit.card.headline.words == "Labels of 1 scan repaired"


def test_repaired_labels_never_replace_files(page, qtbot, folder, tmp_path):
    """Somebody may have gone on with those of the last time by hand."""
    audit(page, qtbot, folder)
    kept = tmp_path / "data_repaired" / "2_t2_levels.nii.gz"
    kept.parent.mkdir()
    kept.write_bytes(b"drawn by hand")
    click(qtbot, page.audit.repair_button)
    assert page.audit.repair_folder.text() == str(tmp_path / "data_repaired_2")
    page.audit.repair_folder.setText(str(kept.parent))
    click(qtbot, page.audit.repair_now)
    qtbot.waitUntil(lambda: bool(page.audit.card.sentences))
    assert "is there already" in page.audit.card.sentences[0] and kept.read_bytes() == b"drawn by hand"


def test_while_a_case_is_read_the_page_says_so(page, qtbot, folder):
    audit(page, qtbot, folder)
    said = []
    page.audit.opener.opening.connect(lambda _: said.append(page.audit.hint.words))
    with qtbot.waitSignal(page.audit.opener.ended):
        double_click(page, qtbot, row_of(page, "2_t2"))
    assert said == ["Opening 2_t2 …"] and page.audit.hint.words == ""


def test_a_folder_without_scans_is_refused_in_words(page, qtbot, tmp_path):
    page.audit.folder.setText(str(tmp_path))
    click(qtbot, page.audit.run_bar.button)
    qtbot.waitUntil(lambda: bool(page.audit.card.sentences))
    assert "no labelled scans" in page.audit.card.sentences[0]
    assert not page.audit.table.isVisible()


def test_labels_that_cannot_be_read_stop_neither_repair_nor_what_is_said_next(page, qtbot, folder, tmp_path):
    (folder / "4_t2_levels.nii.gz").write_bytes(b"no labels at all")
    audit(page, qtbot, folder)
    headline = page.audit.card.headline.words
    double_click(page, qtbot, row_of(page, "4_t2"))
    qtbot.waitUntil(lambda: page.audit.card.headline.words == "Not opened")
    with qtbot.waitSignal(page.audit.opener.opened):
        double_click(page, qtbot, row_of(page, "2_t2"))
    assert page.audit.card.headline.words == headline and page.audit.card.sentences == []
    click(qtbot, page.audit.repair_button)
    with qtbot.waitSignal(page.audit.repaired):
        click(qtbot, page.audit.repair_now)
    assert page.audit.card.headline.words == "Labels of 1 scan repaired"
    assert "1 of the scans could not be read and was left out" in page.audit.card.remark.words
