"""What is drawn on the Correct page is on disk seconds later, and comes back after a crash."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import numpy as np
from correct_kit import (
    add_labels,
    add_segmentation,
    key,
    opened,
    press,
    settle,
)
from gui_kit import add_scan, click, column_scan, sagittal_labels
from napari.utils.colormaps.standardize_color import transform_color
from qtpy.QtCore import QThreadPool

from napari_spineseg.anatomy import colour_of
from napari_spineseg.corrections.journal import read_journal
from napari_spineseg.corrections.store import CorrectionsStore, default_store
from napari_spineseg.scan import Segmentation


def draw(viewer, layer, row=5) -> None:
    key(viewer, "P")
    layer.selected_label = 3
    press(viewer, layer, (3, row, 34))


def journal_of(page):
    return read_journal(page.keeper._work.journal.path)


def left_by_a_crash(rows: int = 4) -> np.ndarray:
    """The store after a process died while somebody drew on the kit's scan."""
    entry = CorrectionsStore(default_store(), create=True).add(column_scan())
    labels = sagittal_labels()
    journal = entry.start_journal(labels, {"numbering": {"lumbar": 6, "thoracic": 12}})
    labels[3, 2 : 2 + rows, 33:38] = 3
    box = (slice(3, 4), slice(2, 2 + rows), slice(33, 38))
    journal.write([(box, labels[box])])
    journal.leave()
    return labels


def test_a_stroke_is_on_disk_within_five_seconds(viewer, page, qtbot):
    layer = opened(viewer, page)
    assert not default_store().exists()  # nothing was drawn yet
    draw(viewer, layer)
    with qtbot.waitSignal(page.keeper.safe):
        pass
    found = journal_of(page)
    assert np.array_equal(found.labels, layer.data) and found.unsaved == 1
    entry = page.keeper.entry
    assert entry.model["name"] == "lumbar"
    turn = entry.identity.grid.to_orientation()
    assert np.array_equal(turn.apply(entry.prediction.load().labels), sagittal_labels())
    key(viewer, "Control-Z")
    with qtbot.waitSignal(page.keeper.safe):
        pass
    assert np.array_equal(journal_of(page).labels, sagittal_labels())


def test_after_a_crash_there_is_one_question(viewer, page, qtbot):
    drawn = left_by_a_crash()
    layer = opened(viewer, page)
    qtbot.waitUntil(page.offer_panel.isVisible)
    assert "1 change" in page.offer_panel.words.words and np.array_equal(layer.data, sagittal_labels())
    # Closing the labels alone leads here too, so that nothing is said to have ended.
    assert page.offer_panel.words.words.endswith("was not saved as a version. Bring back what was drawn?")
    click(qtbot, page.offer_panel.yes)
    assert np.array_equal(layer.data, drawn) and not page.offer_panel.isVisible()
    assert layer.metadata["spineseg"]["numbering"] == {"lumbar": 6, "thoracic": 12}
    with qtbot.waitSignal(page.keeper.safe):
        pass
    assert np.array_equal(journal_of(page).labels, drawn)
    assert page.keeper.entry.unfinished() == []  # the old one is put aside, the new one is ours
    key(viewer, "Control-Z")
    assert np.array_equal(layer.data, sagittal_labels())


def test_what_is_not_wanted_is_kept_aside(viewer, page, qtbot):
    left_by_a_crash()
    layer = opened(viewer, page)
    qtbot.waitUntil(page.offer_panel.isVisible)
    click(qtbot, page.offer_panel.no)
    assert np.array_equal(layer.data, sagittal_labels())
    entry = page.keeper.entry
    assert entry.unfinished() == [] and len(list(entry.journals.glob("*.discarded"))) == 1


def test_saving_makes_versions_with_state_and_note(viewer, page, qtbot):
    layer = opened(viewer, page)
    draw(viewer, layer)
    page.review.state.setCurrentIndex(page.review.state.findData("done"))
    page.review.note.setText("checked")
    with qtbot.waitSignal(page.keeper.saved):
        key(viewer, "Control-Enter")
    first = layer.data.copy()
    draw(viewer, layer, row=12)
    with qtbot.waitSignal(page.keeper.saved):
        click(qtbot, page.run_bar.button)
        assert page.hint.words == "Saving a version …"  # a large scan takes seconds
    (entry,) = CorrectionsStore(default_store()).entries(state="done")
    turn = entry.identity.grid.to_orientation()
    versions = [turn.apply(version.load().labels) for version in entry.versions]
    assert np.array_equal(versions[0], first) and np.array_equal(versions[1], layer.data)
    assert entry.notes == ["checked"] and entry.versions[0].about["changed"]["voxels"] > 0
    assert page.card.headline.words == "Version 2 saved"
    assert page.hint.words == viewer.status == "Saved version 2, done."
    assert journal_of(page).unsaved == 0


def test_the_review_is_that_of_the_scan_that_is_corrected(viewer, page, qtbot):
    """Else the next patient's labels would be saved as done because the last one's were."""
    layer = opened(viewer, page)
    draw(viewer, layer)
    state = page.review.state
    state.setCurrentIndex(state.findData("done"))
    state.activated.emit(state.currentIndex())
    assert page.hint.words == "Done: with the next Save version."
    with qtbot.waitSignal(page.keeper.saved):
        key(viewer, "Control-Enter")
    add_scan(viewer, another_scan())
    viewer.layers.selection.active = add_labels(viewer, another_scan(), sagittal_labels())
    settle(page)
    assert page.review.said == ("in-progress", "") and not page.card.isVisible()
    viewer.layers.selection.active = layer
    settle(page)
    assert page.review.said == ("done", "")


def another_scan():
    """Of the same shape elsewhere: another patient's."""
    scan = column_scan("other")
    moved = np.array([[1.0, 0, 0, 30], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    return replace(scan, voxels=scan.voxels + 1, affine=moved @ scan.affine)


def test_what_is_found_of_a_scan_is_not_offered_for_the_next_one(viewer, page, qtbot):
    """Whoever goes on to another patient while the store is read would get this one's drawing there."""
    left_by_a_crash()
    add_scan(viewer, another_scan())
    layer = add_labels(viewer, another_scan(), sagittal_labels())
    settle(page)
    left = add_segmentation(viewer)
    assert page.layer is left
    QThreadPool.globalInstance().waitForDone()  # it is found, and the window has not heard of it yet
    viewer.layers.selection.active = layer
    settle(page)
    assert page.layer is layer and not page.offer_panel.isVisible()
    viewer.layers.selection.active = left
    settle(page)
    assert page.offer_panel.isVisible()


def test_whoever_saves_and_goes_on_at_once_has_saved(viewer, page, qtbot, notifications):
    layer = opened(viewer, page)
    add_scan(viewer, another_scan())
    other = add_labels(viewer, another_scan(), sagittal_labels())
    viewer.layers.selection.active = layer
    settle(page)
    draw(viewer, layer)
    drawn = layer.data.copy()
    page.keeper.look()  # which is not done yet when the button is pressed
    click(qtbot, page.run_bar.button)
    viewer.layers.selection.active = other
    assert page.layer is other and page.run_bar.button.isEnabled()
    settle(page)
    (entry,) = CorrectionsStore(default_store()).entries()
    turn = entry.identity.grid.to_orientation()
    assert entry.name == "column" and np.array_equal(turn.apply(entry.latest.load().labels), drawn)
    assert "Saved version 1 of column_seg" in notifications()
    # The card and the button are those of the labels that are worked on now.
    assert not page.card.isVisible() and page.run_bar.button.isEnabled()
    assert entry.unfinished() == []


def test_leaving_labels_does_not_hold_up_the_window(viewer, page, qtbot, monkeypatch):
    """The whole scan is written when the first thing is kept: seconds, for a large one."""
    layer = opened(viewer, page)
    draw(viewer, layer)
    may_go_on = Event()
    add = CorrectionsStore.add
    monkeypatch.setattr(CorrectionsStore, "add", lambda *args: may_go_on.wait(60) and add(*args))
    other = add_labels(viewer, column_scan(), np.zeros_like(sagittal_labels()), model="")
    assert page.layer is other and page.keeper.busy
    layer.data[0] = 7  # by whatever, later
    may_go_on.set()
    settle(page)
    (entry,) = CorrectionsStore(default_store()).entries()
    (left,) = entry.unfinished()
    assert not (read_journal(left).labels[0] == 7).any() and read_journal(left).unsaved == 1


def test_what_is_still_to_be_kept_is_kept_when_the_window_goes(viewer, page, qtbot):
    layer = opened(viewer, page)
    draw(viewer, layer)
    drawn = layer.data.copy()
    page.keeper.look()
    click(qtbot, page.run_bar.button)
    add_labels(viewer, column_scan(), np.zeros_like(sagittal_labels()), model="")
    page.keeper.shut_down()  # with nothing of it done, or some
    (entry,) = CorrectionsStore(default_store()).entries()
    turn = entry.identity.grid.to_orientation()
    assert np.array_equal(turn.apply(entry.latest.load().labels), drawn) and entry.unfinished() == []


def taken_over(viewer, page, qtbot):
    """The labels of the scan once it is opened again, and its version 1, which is offered, is taken."""
    layer = opened(viewer, page)
    qtbot.waitUntil(page.offer_panel.isVisible)
    assert "version 1" in page.offer_panel.words.words
    click(qtbot, page.offer_panel.yes)
    return layer.data


def test_opening_it_again_offers_the_last_version(viewer, page, qtbot):
    scan, labels = column_scan(), sagittal_labels()
    labels[3, 2:6, 33:38] = 3
    turn = scan.grid.to_orientation()
    CorrectionsStore(default_store(), create=True).add_correction(
        scan, Segmentation(np.ascontiguousarray(turn.invert(labels)), scan.affine)
    )
    assert np.array_equal(taken_over(viewer, page, qtbot), labels)


def test_labels_of_structures_are_not_offered_for_labels_of_levels(viewer, page, qtbot):
    """1 is any vertebra there, and L5 here."""
    scan, turn = column_scan(), column_scan().grid.to_orientation()
    structures = (sagittal_labels() > 0).astype(np.uint16)
    store = CorrectionsStore(default_store(), create=True)
    levels = sagittal_labels()
    levels[3, 2:6, 33:38] = 3
    for labels, scheme in ((levels, "levels"), (structures, "structures")):
        stored = Segmentation(np.ascontiguousarray(turn.invert(labels)), scan.affine, scheme=scheme)
        store.add_correction(scan, stored)
    (entry,) = store.entries()
    entry.start_journal(structures, {"scheme": "structures"}).leave()
    assert np.array_equal(taken_over(viewer, page, qtbot), levels)


def test_a_numbering_that_was_chosen_before_is_not_offered_once_more(viewer, page, qtbot):
    """Other numberings are told by how far they are from the model's: chosen now, the column moves twice."""
    scan, turn = column_scan(), column_scan().grid.to_orientation()
    moved = sagittal_labels()
    moved[(moved > 0) & (moved != 100)] += 1
    CorrectionsStore(default_store(), create=True).add_correction(
        scan, Segmentation(np.ascontiguousarray(turn.invert(moved)), scan.affine)
    )
    add_scan(viewer)
    layer = add_labels(viewer, scan, sagittal_labels())
    other = {"words": "The lowest is L4.", "shift": 1, "lumbar": 5, "thoracic": 12}
    doubts = ("The lumbosacral junction is not in the image.", "L2 is cut off.")
    layer.metadata["spineseg"] |= {"numberings": (other,), "warnings": doubts}
    settle(page)
    click(qtbot, page.offer_panel.yes)
    known = layer.metadata["spineseg"]
    assert np.array_equal(layer.data, moved) and known["numberings"] == ()
    assert known["warnings"] == ("L2 is cut off.",)
    key(viewer, "Control-Z")
    known = layer.metadata["spineseg"]
    assert np.array_equal(layer.data, sagittal_labels())
    assert known["numberings"] == (other,) and known["warnings"] == doubts


def test_labels_that_were_begun_by_hand_are_kept_with_their_levels(viewer, page, qtbot):
    """napari's *New labels layer* knows neither the scan's grid nor what its numbers mean."""
    scan = add_scan(viewer)
    layer = viewer.add_labels(np.zeros(scan.data.shape, int), scale=scan.scale)
    settle(page)
    key(viewer, "P")
    layer.selected_label, layer.brush_size = 2, 6
    assert np.allclose(layer.get_color(2)[:3], transform_color(colour_of(2))[0][:3], atol=0.01)
    viewer.dims.set_current_step(0, 3)
    press(viewer, layer, (3, 5, 34))
    with qtbot.waitSignal(page.keeper.saved):
        key(viewer, "Control-Enter")
    (entry,) = CorrectionsStore(default_store()).entries()
    version = entry.latest.load()
    turn = entry.identity.grid.to_orientation()
    assert np.array_equal(turn.apply(version.labels), layer.data) and set(np.unique(layer.data)) == {0, 2}
    assert entry.latest.about["scheme"] == "levels" and page.card.headline.words == "Version 1 saved"


def test_what_is_left_unsaved_is_taken_over_when_one_comes_back(viewer, page, qtbot):
    layer = opened(viewer, page)
    draw(viewer, layer)
    other = add_labels(viewer, column_scan(), np.zeros_like(sagittal_labels()), model="")
    settle(page)
    assert page.layer is other
    viewer.layers.selection.active = layer
    settle(page)
    assert page.layer is layer and not page.offer_panel.isVisible()
    qtbot.waitUntil(lambda: page.keeper._work.journal is not None and not page.keeper.busy)
    assert journal_of(page).unsaved >= 1 and np.array_equal(journal_of(page).labels, layer.data)
    assert len(page.keeper.entry.predictions) == 1


def test_a_full_disk_is_said_and_drawing_goes_on(viewer, page, qtbot, monkeypatch, notifications):
    layer = opened(viewer, page)

    def full(*args):
        from napari_spineseg.errors import StoreError

        raise StoreError("The disk is full.")

    monkeypatch.setattr("napari_spineseg.corrections.entry.Entry.start_journal", full)
    draw(viewer, layer)
    qtbot.waitUntil(lambda: "The disk is full." in notifications())
    assert page.card.sentences == ["The disk is full."]
    monkeypatch.undo()
    page.keeper.detach()


def test_without_the_scan_it_says_that_nothing_is_kept(viewer, page, qtbot):
    layer = opened(viewer, page)
    scan = viewer.layers[0]
    viewer.layers.remove(scan)
    layer2 = add_labels(viewer, column_scan("alone"), sagittal_labels())
    assert page.layer is layer2 and "not kept" in page.hint.words
    add_scan(viewer, column_scan("alone"))
    settle(page)
    assert not page.keeper.idle
    assert layer is not layer2


def test_without_its_scan_it_says_that_nothing_is_saved_and_stays_usable(viewer, page, qtbot):
    scan = column_scan()
    layer = add_labels(viewer, scan, sagittal_labels())
    settle(page)
    draw(viewer, layer)
    click(qtbot, page.run_bar.button)
    assert page.card.headline.words == "Not saved"
    assert "scan of this segmentation is not open" in page.card.sentences[0]
    add_scan(viewer, scan)
    viewer.layers.selection.active = layer
    settle(page)
    assert page.run_bar.button.isEnabled()
    click(qtbot, page.run_bar.button)
    settle(page)
    assert page.keeper.entry.latest.number == 1
