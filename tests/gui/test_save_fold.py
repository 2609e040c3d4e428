"""What *Save…* unfolds is seen, however short the window is: on both pages that have it."""

from __future__ import annotations

import pytest
from figures_kit import add_labels, measure
from gui_kit import click, shown_alone

from napari_spineseg.widgets.measure.page import MeasurePage
from napari_spineseg.widgets.segment.page import SegmentPage

SHORT = 330


@pytest.fixture(params=[(SegmentPage, "save_panel"), (MeasurePage, "saver")], ids=["segment", "measure"])
def fold(request, model, qtbot, fake_measure):
    """The folded row on a page that is too short for it, scrolled to the top."""
    kind, name = request.param
    page = shown_alone(kind(model), qtbot)
    add_labels(model)
    if kind is MeasurePage:
        measure(page, qtbot)
    page.resize(page.width(), SHORT)
    qtbot.waitUntil(lambda: page.height() == SHORT)
    return getattr(page, name)


def whole(widget) -> bool:
    """Whether nothing of `widget` is hidden by an edge."""
    return widget.visibleRegion().boundingRect() == widget.rect()


def test_what_unfolds_comes_into_sight(fold, qtbot, tmp_path):
    assert not whole(fold.open_button)
    click(qtbot, fold.open_button)
    qtbot.waitUntil(lambda: all(whole(part) for part in (fold.place, fold.notice, fold.write, fold.cancel)))


def test_so_does_what_is_said_later(fold, qtbot, tmp_path):
    click(qtbot, fold.open_button)
    fold.place.setText(str(tmp_path / ("there_is_no_such_folder_" * 3) / "a.nii.gz"))
    qtbot.waitUntil(lambda: "There is no folder" in fold.notice.words)
    qtbot.waitUntil(lambda: all(whole(part) for part in (fold.notice, fold.write, fold.cancel)))


def test_a_text_stands_clear_of_the_bar_of_its_role(fold, qtbot, tmp_path):
    """In another role it needs another margin; it kept the one of the role before."""
    click(qtbot, fold.open_button)
    before = fold.notice.contentsRect().left()
    fold.place.setText(str(tmp_path / "no folder" / "a.nii.gz"))
    qtbot.waitUntil(lambda: "There is no folder" in fold.notice.words)
    assert fold.notice.contentsRect().left() - before >= 7
