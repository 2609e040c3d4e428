"""Choosing another numbering on the result card with real clicks: voxels, words, undo, what is saved."""

from __future__ import annotations

import numpy as np
import pytest
from gui_kit import add_scan, click, sagittal_labels, segment
from qtpy.QtCore import Qt

from napari_spineseg.anatomy import Numbering
from napari_spineseg.instances.numbering import ABOUT_THE_NUMBERS, Alternative, Level, decide
from napari_spineseg.io import read_segmentation
from napari_spineseg.widgets.correct.page import CorrectPage
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.legend import scheme_of

L4 = Alternative("The lowest vertebra is L4.", 1)
L6 = Alternative("There are six lumbar vertebrae; the lowest is L6.", 0, Numbering(lumbar=6))
S1 = Alternative("The lowest vertebra is S1.", -1)


@pytest.fixture
def page(lone_page, qtbot, fake):
    """The Segment page with a result that may be numbered in three other ways."""
    fake.alternatives = (L4, L6, S1)
    add_scan(lone_page.session.viewer)
    segment(lone_page, qtbot)
    return lone_page


def labels_of(page) -> np.ndarray:
    return np.asarray(page.session.segmentation.data)


def test_each_numbering_that_fits_has_a_button(page):
    assert page.numberings.isVisible()
    assert [b.accessibleName() for b in page.numberings.buttons] == [
        f"Use: {a.description}" for a in (L4, L6, S1)
    ]
    assert all(b.isVisible() and b.focusPolicy() != Qt.FocusPolicy.NoFocus for b in page.numberings.buttons)


def test_one_click_renumbers_and_one_takes_it_back(page, qtbot):
    layer, before = page.session.segmentation, labels_of(page).copy()
    click(qtbot, page.numberings.buttons[0])
    expected = np.where((before > 0) & (before != 100), before + 1, before)
    assert np.array_equal(labels_of(page), expected)
    assert page.card.headline.words == "L4–L1, 4 discs, spinal canal"
    assert page.legend.chips[2].accessibleName() == "L4" and 1 not in page.legend.chips
    assert about(layer)["provenance"]["numbering_chosen"] == {"words": L4.description, "shift": 1}
    assert not page.numberings.buttons and page.numberings.undo.isVisible()
    click(qtbot, page.numberings.undo)
    assert np.array_equal(labels_of(page), before)
    assert page.card.headline.words == "L5–L2, 4 discs, spinal canal"
    assert len(page.numberings.buttons) == 3 and "numbering_chosen" not in about(layer)["provenance"]


def test_six_lumbar_vertebrae_change_names_and_no_voxel(page, qtbot):
    before = labels_of(page).copy()
    click(qtbot, page.numberings.buttons[1])
    assert np.array_equal(labels_of(page), before)
    assert scheme_of(page.session.segmentation)[1] == Numbering(lumbar=6)
    assert page.card.headline.words == "L6–L3, 4 discs, spinal canal"
    assert page.legend.chips[1].accessibleName() == "L6"


def test_what_becomes_sacrum_is_erased_and_said(page, qtbot):
    before = labels_of(page).copy()
    click(qtbot, page.numberings.buttons[2])
    assert np.array_equal(labels_of(page) == 1, before == 2) and not np.any(labels_of(page)[before == 1])
    assert "sacrum" in page.hint.words


def test_the_keyboard_takes_a_choice_back_after_more_was_drawn(page, qtbot):
    before = labels_of(page).copy()
    correct = CorrectPage(page.session.viewer)
    qtbot.addWidget(correct)
    click(qtbot, page.numberings.buttons[0])
    layer = page.session.segmentation
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 5)
    qtbot.waitUntil(lambda: not page.numberings.undo.isVisible())  # it would take back the drawing
    assert correct.history.undo() and correct.history.undo() and not correct.history.can_undo
    assert np.array_equal(labels_of(page), before)
    qtbot.waitUntil(lambda: len(page.numberings.buttons) == 3)


def test_a_choice_on_the_page_correct_is_told_too(page, qtbot):
    correct = CorrectPage(page.session.viewer)
    qtbot.addWidget(correct)
    correct.show()
    page.session.segmentation.selected_label = 1
    correct.relabel("L3", Numbering())
    qtbot.waitUntil(lambda: page.card.headline.words == "L3–T12, 4 discs, spinal canal")
    assert not page.numberings.buttons


def test_it_is_saved_as_chosen(page, qtbot, tmp_path):
    click(qtbot, page.numberings.buttons[0])
    click(qtbot, page.numberings.undo)
    click(qtbot, page.numberings.buttons[1])
    click(qtbot, page.save_panel.open_button)
    page.save_panel.path.setText(str(tmp_path / "chosen_seg.nii.gz"))
    qtbot.waitUntil(lambda: "chosen" in page.save_panel.path.text() and page.save_panel.write.isEnabled())
    with qtbot.waitSignal(page.save_panel.saved):
        click(qtbot, page.save_panel.write)
    saved = read_segmentation(tmp_path / "chosen_seg.nii.gz")
    assert saved.numbering == Numbering(lumbar=6)
    shown = saved.grid.to_orientation().apply(saved.labels)
    assert np.array_equal(shown, sagittal_labels())


def test_answered_doubts_go_and_other_warnings_follow_the_names(page, qtbot, viewer):
    layer = page.session.segmentation
    known = about(layer)
    doubt = "No disc was found below the lowest vertebra, so the lumbosacral junction is not certain."
    left_out = "What was painted below the lowest disc looks like a part of S1 and was left out."
    layer.metadata["spineseg"] = {
        **known,
        "warnings": (doubt, left_out, "L5 is painted only in part.", "N4 failed on 3T."),
    }
    page._say_result(layer)
    click(qtbot, page.numberings.buttons[0])
    assert page.card.sentences == ["L4 is painted only in part.", "N4 failed on 3T."]


def test_each_doubt_about_the_junction_counts_as_answered():
    level = dict(height=30.0, evidence=1.0, volume=50.0, posterior=8.0, room=40.0)
    columns = [
        [Level(**level, disc_volume=9.0, slope=s) for s in slopes[:-1]]
        + [Level(**{**level, **low}, slope=slopes[-1])]
        for slopes, low in [
            ((5.0, 0.0, -10.0, None), {"disc_volume": 0.0}),
            ((5.0, 0.0, -5.0, -5.0), {"disc_volume": 9.0}),
            ((5.0, 0.0, -36.0, -30.0), {"disc_volume": 9.0}),
            ((5.0, 0.0, -14.0, -33.0), {"disc_volume": 1.0}),
            ((5.0, 0.0, -14.0, -33.0), {"disc_volume": 9.0, "volume": 30.0}),
        ]
    ]
    for column in columns:
        decision = decide(column)
        assert decision.alternatives
        assert all(any(part in text for part in ABOUT_THE_NUMBERS) for text in decision.warnings), (
            decision.warnings
        )
