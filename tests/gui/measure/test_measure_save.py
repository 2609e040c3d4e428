"""*Save figures…* with real clicks: three files, nothing replaced without a word."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from figures_kit import WARNING, measure
from gui_kit import click
from qtpy.QtCore import Qt

from napari_spineseg.errors import OutputError
from napari_spineseg.widgets.measure.saving import FigureFiles, check_folder, suggested_folder

NAMES = ["column_measures.csv", "column_measures.json", "column_report.html"]


@pytest.fixture
def saver(page, layer, fake, qtbot, tmp_path):
    """The unfolded row for saving, after *Measure*."""
    measure(page, qtbot)
    click(qtbot, page.saver.open_button)
    qtbot.waitUntil(page.saver.folder.isVisible)
    page.saver.folder.setText(str(tmp_path))
    qtbot.waitUntil(lambda: not page.saver._settle.isActive())
    return page.saver


def save(saver, qtbot) -> None:
    click(qtbot, saver.write)
    qtbot.waitUntil(lambda: saver.job is None)


def test_the_folder_of_a_scan_that_was_opened_by_a_relative_path_is_said_in_full(tmp_path, monkeypatch):
    """Nobody knows which folder napari was started in."""
    (tmp_path / "scan.nii.gz").touch()
    monkeypatch.chdir(tmp_path)
    assert suggested_folder("scan.nii.gz") == tmp_path


def test_three_files_in_the_folder(saver, qtbot, tmp_path):
    assert saver.notice.words == f"Writes {NAMES[0]}, {NAMES[1]} and {NAMES[2]}."
    save(saver, qtbot)
    assert sorted(p.name for p in tmp_path.iterdir()) == NAMES
    rows = list(csv.DictReader((tmp_path / NAMES[0]).open(encoding="utf-8")))
    assert rows[0]["level"] == "L5" and rows[0]["value"] == "10.0" and rows[0]["unit"] == "mm"
    record = json.loads((tmp_path / NAMES[1]).read_text(encoding="utf-8"))
    assert record["warnings"] == [WARNING] and record["settings"]["band_mm"] == 8
    assert record["scan"]["name"] == "column" and len(record["figures"]) == len(rows)
    assert "<h1>Measurements of column_seg</h1>" in (tmp_path / NAMES[2]).read_text(encoding="utf-8")
    assert saver.open_button.isVisible() and not saver.folder.isVisible()


def test_the_report_can_be_left_out(saver, qtbot, tmp_path):
    qtbot.keyClick(saver.form.editor("report"), Qt.Key.Key_Space)
    assert NAMES[2] not in saver.notice.words
    save(saver, qtbot)
    assert sorted(p.name for p in tmp_path.iterdir()) == NAMES[:2]


def test_what_would_be_replaced_is_named_first(saver, qtbot, tmp_path):
    (tmp_path / NAMES[1]).write_text("mine")
    # The row said "Save", not "Replace": a file that came to be since is not replaced by this click.
    assert saver.write.text() == "Save"
    save(saver, qtbot)
    assert (tmp_path / NAMES[1]).read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
    assert saver.notice.words == f"{NAMES[1]} is there already and would be replaced."
    assert saver.write.text() == "Replace"
    save(saver, qtbot)
    assert json.loads((tmp_path / NAMES[1]).read_text(encoding="utf-8"))["figures"]


def test_a_folder_that_is_not_there_is_said(saver, qtbot, tmp_path):
    saver.folder.setText(str(tmp_path / "no"))
    qtbot.waitUntil(lambda: not saver.write.isEnabled())
    assert "There is no folder" in saver.notice.words
    for text, words in (("", "Name a folder"), (__file__, "is a file")):
        with pytest.raises(OutputError, match=words):
            check_folder(text)


def test_figures_that_are_out_of_date_are_not_saved(page, saver, layer, qtbot, tmp_path):
    layer.data = layer.data.copy() * 0
    assert not saver.folder.isVisible() and not saver.open_button.isEnabled()


def test_a_disk_that_refuses_is_said_and_can_be_tried_again(
    saver, qtbot, tmp_path, monkeypatch, notifications
):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_spineseg.widgets.measure.saving.write_whole", full)
    save(saver, qtbot)
    assert "No space left" in saver.notice.words and any("No space" in text for text in notifications())
    monkeypatch.undo()
    save(saver, qtbot)
    assert sorted(p.name for p in tmp_path.iterdir()) == NAMES


def test_names_of_layers_become_names_of_files():
    files = FigureFiles.of(Path("out"), "a/b:c_seg", report=False)
    assert [p.name for p in files.all] == ["a_b_c_measures.csv", "a_b_c_measures.json"]
    assert FigureFiles.of(Path("out"), " ..", report=True).report.name == "spine_report.html"
