"""The Segment page with real clicks: from a scan to labels on the right voxels, and everything in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gui_kit import TILES, add_scan, click, column_scan, go_on, sagittal_labels, segment, start
from napari.utils import progress as napari_progress
from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_spineseg.errors import ModelError
from napari_spineseg.instances.numbering import Alternative
from napari_spineseg.tumours.scan import WARNING
from napari_spineseg.widgets.known import KEY, about
from napari_spineseg.widgets.picker import LayerPicker
from napari_spineseg.widgets.segment.words import describe


def test_result_is_told_in_words(page, layer):
    assert page.card.isVisible()
    assert page.card.headline.words == "L5–L2, 4 discs, spinal canal"
    assert page.card.remark.words == "1 place to look at"
    assert page.card.sentences == ["Look at L5."]
    assert page.legend.isVisible() and page.save_panel.open_button.isVisible()


def test_that_tumours_are_experimental_is_no_place_to_look_at(page, qtbot, layer):
    layer.metadata["spineseg"] = {**about(layer), "warnings": (WARNING,)}
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: page.card.sentences == [WARNING])
    assert not page.card.remark.words


def test_without_a_scan_it_says_what_to_do(viewer, page, qtbot, monkeypatch):
    assert page.empty.isVisible() and not page.run_bar.isVisible()
    viewer.add_image(np.zeros((5, 6)))
    assert "three axes" in page.empty.hint.words and "Merge to Stack" in page.empty.hint.words
    viewer.layers.clear()
    viewer.add_image(np.zeros((2, 3, 5, 6)))
    assert "has 4" in page.empty.hint.words and "Split Stack" in page.empty.hint.words
    monkeypatch.setattr("napari_spineseg.widgets.page.open_first_sample", add_scan)
    click(qtbot, page.empty.button)
    assert page.run_bar.isVisible() and not page.empty.isVisible()
    viewer.layers.clear()
    assert page.empty.isVisible()


def test_progress_is_shown_tile_by_tile(viewer, page, qtbot, fake):
    add_scan(viewer)
    fake.may_go_on.clear()
    click(qtbot, page.run_bar.button)
    qtbot.waitUntil(lambda: page.run_bar.bar.maximum() == TILES)
    assert page.run_bar.stop.isVisible() and not page.run_bar.button.isVisible()
    assert page.run_bar.bar.text() == f"Segmenting: 0 of {TILES}"
    qtbot.waitUntil(lambda: [bar.total for bar in napari_progress._all_instances] == [TILES])
    go_on(page, fake, qtbot)
    assert page.run_bar.button.isVisible() and not napari_progress._all_instances


def test_works_from_the_keyboard(viewer, page, qtbot, fake):
    add_scan(viewer)
    page.run_bar.button.setFocus()
    fake.may_go_on.clear()
    qtbot.keyClick(page.run_bar.button, Qt.Key.Key_Space)
    qtbot.waitUntil(fake.started.is_set)
    qtbot.waitUntil(page.run_bar.stop.hasFocus)
    qtbot.keyClick(page.run_bar.stop, Qt.Key.Key_Space)
    go_on(page, fake, qtbot)
    qtbot.waitUntil(page.run_bar.button.hasFocus)
    qtbot.keyClick(page.main_form.editor("model"), Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.job is None and len(viewer.layers) == 2)


def test_a_bug_keeps_its_traceback(viewer, page, qtbot, fake):
    add_scan(viewer)
    fake.error = ZeroDivisionError("oops")
    segment(page, qtbot)
    record = notification_manager.records[-1]
    assert isinstance(record, ErrorNotification) and "control.step" in record.as_text()
    assert "ZeroDivisionError" in page.card.sentences[0]


def test_after_a_failure_the_labels_that_are_there_can_be_saved(viewer, page, layer, qtbot, fake):
    fake.error = ModelError("There is no model called 'x'.")
    segment(page, qtbot)
    assert page.card.headline.words == "Not segmented"
    assert page.save_panel.isVisible() and page.legend.chips[2].isVisible()
    click(qtbot, page.save_panel.open_button)
    assert page.save_panel.path.isVisible()


def test_scan_closed_during_the_run(viewer, page, qtbot, fake, notifications):
    """The result is kept, and not shown over the scan of somebody else."""
    scan = column_scan("another patient")
    moved = np.array([[1.0, 0, 0, 30], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    other = add_scan(viewer, replace(scan, affine=moved @ scan.affine))
    scan_layer = add_scan(viewer)
    start(page, fake, qtbot)
    viewer.layers.remove(scan_layer)
    go_on(page, fake, qtbot)
    np.testing.assert_array_equal(viewer.layers["column_seg"].data, sagittal_labels())
    assert any("closed meanwhile" in message for message in notifications())
    assert not viewer.layers["column_seg"].visible and viewer.layers.selection.active is None
    assert page.session.scan is other and not page.card.isVisible()


def test_whoever_went_over_to_another_scan_stays_there(viewer, page, qtbot, fake, notifications):
    """The result took the picture and the choice away from a person in the middle of something else."""
    other = add_scan(viewer, column_scan("other"))
    add_scan(viewer)
    start(page, fake, qtbot)
    viewer.layers.selection.active = other
    assert page.hint.words == "column is being segmented."
    go_on(page, fake, qtbot)
    assert (
        page.hint.words == ""
        and viewer.layers.selection.active is other
        and page.session.scan is other
        and other.visible
    )
    result = viewer.layers["column_seg"]
    assert not result.visible and page.session.segmentation is None and not page.card.isVisible()
    assert "column_seg is ready; choose the scan column to see it." in notifications()
    picker = page.findChild(LayerPicker)
    picker.setCurrentIndex(picker.findText("column"))
    picker.activated.emit(picker.currentIndex())
    assert page.session.segmentation is result and result.visible and not other.visible


def test_a_run_can_be_stopped_when_its_scan_was_closed(viewer, page, qtbot, fake):
    """With the last scan the progress and *Stop* were gone, and the run went on unseen."""
    scan_layer = add_scan(viewer)
    start(page, fake, qtbot)
    viewer.layers.remove(scan_layer)
    assert page.run_bar.stop.isVisible() and page.hint.words == "column is being segmented."
    qtbot.wait(50)
    click(qtbot, page.run_bar.stop)
    go_on(page, fake, qtbot)
    assert page.empty.isVisible() and len(viewer.layers) == 0


def test_nothing_found_is_no_place_to_look_at(viewer, page, qtbot, fake):
    add_scan(viewer, replace(column_scan(), voxels=np.zeros_like(column_scan().voxels)))
    segment(page, qtbot)
    assert page.card.headline.words == "Nothing found" and page.card.sentences
    assert page.card.remark.words == ""


def test_tab_goes_through_the_page_as_the_eye_does(viewer, page, qtbot, fake):
    fake.alternatives = (Alternative("The lowest vertebra is L4.", 1),)
    add_scan(viewer)
    segment(page, qtbot)
    page.findChild(LayerPicker).setFocus()
    seen = []
    while not seen or seen[-1] != "label_100":
        qtbot.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
        seen.append(page.focusWidget().objectName())
        assert len(seen) < 40, seen
    order = [
        "model",
        "scheme",
        "fold",
        "primary",
        "preview",
        "use_numbering_1",
        "save",
        "show_vertebra",
        "label_4",
    ]
    assert [name for name in seen if name in order] == order
    assert seen.index("label_4") < seen.index("label_204") < seen.index("label_3")
    qtbot.keyClick(page.focusWidget(), Qt.Key.Key_Backtab)
    assert page.focusWidget().objectName() == seen[-2]


def test_scan_renamed_during_the_run(viewer, page, qtbot, fake):
    scan_layer = add_scan(viewer)
    start(page, fake, qtbot)
    scan_layer.name = "another name"
    go_on(page, fake, qtbot)
    assert page.session.scan_of(viewer.layers[-1]) is scan_layer


def test_a_second_run_hides_the_first_and_keeps_it(viewer, page, qtbot, layer):
    layer.data[0, 0, 0] = 5
    segment(page, qtbot)
    assert len(viewer.layers) == 3 and not layer.visible and layer.data[0, 0, 0] == 5
    assert page.session.segmentation is not layer
    assert page.hint.words == f"Hidden, and kept as it was: {layer.name}."


def test_labels_whose_scan_was_closed_say_so_beside_another_scan(viewer, page, qtbot, layer):
    first = page.session.scan
    other = column_scan("other")
    second = add_scan(viewer, other.with_voxels(other.voxels[:, :, :5]))
    viewer.layers.selection.active = layer
    assert page.session.scan is first and page.card.sentences == ["Look at L5."]
    viewer.layers.selection.active = first
    viewer.layers.remove_selected()
    viewer.layers.selection.active = layer
    assert page.session.scan is second and page.card.isVisible()
    assert page.card.sentences == [
        f"{layer.name} was not made from other; its own scan is not open.",
        "Look at L5.",
    ]


def test_settings_reach_the_job(viewer, page, qtbot, fake):
    add_scan(viewer)
    qtbot.mouseClick(page.advanced.toggleButton(), Qt.MouseButton.LeftButton)
    box = page.advanced_form.editor("uncertainty")
    qtbot.waitUntil(box.isVisible)
    qtbot.keyClick(box, Qt.Key.Key_Space)
    qtbot.keyClick(page.main_form.editor("scheme"), Qt.Key.Key_Down)
    segment(page, qtbot)
    assert fake.settings[-1].uncertainty and fake.settings[-1].scheme == "structures"
    unsure = next(layer for layer in viewer.layers if about(layer).get("kind") == "uncertainty")
    assert unsure.data.shape == sagittal_labels().shape and float(unsure.data.max()) == 0.25
    assert page.session.scan.name == "column"


def test_a_plain_layer_works_too(viewer, page, qtbot, fake):
    values = sagittal_labels().astype(np.int16) * 3
    layer = viewer.add_image(values, name="plain", scale=(4, 1, 1))
    assert "spacing from the layer" in describe(layer)
    segment(page, qtbot)
    np.testing.assert_array_equal(viewer.layers[-1].data, sagittal_labels())
    np.testing.assert_allclose(viewer.layers[-1].scale, (4, 1, 1))


def test_preview_follows_the_slices_and_goes_away(viewer, page, qtbot, monkeypatch):
    asked = []

    def preview_slice(scan, settings, index):
        asked.append(index)
        return np.clip(scan.sagittal()[index] // 3, 0, 3).astype(np.uint8)

    monkeypatch.setattr("napari_spineseg.segment.preview_slice", preview_slice)
    scan_layer = add_scan(viewer)
    viewer.dims.set_current_step(0, 2)
    with qtbot.waitSignal(page.preview.drawn):
        click(qtbot, page.preview_button)
    preview = viewer.layers["preview"]
    assert viewer.layers.selection.active is scan_layer
    np.testing.assert_array_equal(preview.data[2], np.clip(sagittal_labels()[2], 0, 3))
    assert not preview.data[3].any()
    with qtbot.waitSignal(page.preview.drawn):
        viewer.dims.set_current_step(0, 4)
    viewer.dims.set_current_step(0, 2)
    qtbot.wait(150)
    assert asked == [2, 4]
    click(qtbot, page.preview_button)
    assert [layer.name for layer in viewer.layers] == ["column"]


def test_a_preview_is_not_mixed_with_the_result_below_it(viewer, page, qtbot, fake, monkeypatch):
    """Two half transparent segmentations on top of each other have colours that are in no legend."""
    monkeypatch.setattr(
        "napari_spineseg.segment.preview_slice", lambda scan, s, i: np.ones((80, 40), np.uint8)
    )
    scan_layer = add_scan(viewer)
    segment(page, qtbot)
    result = page.session.segmentation
    other = viewer.add_labels(np.zeros((7, 9, 9), int), name="other")
    viewer.layers.selection.active = scan_layer
    with qtbot.waitSignal(page.preview.drawn):
        click(qtbot, page.preview_button)
    assert not result.visible and other.visible
    click(qtbot, page.preview_button)
    assert result.visible and other.visible


def test_a_preview_ends_with_its_page(viewer, page, qtbot, monkeypatch):
    """It lay over the labels that were corrected on the next page."""
    monkeypatch.setattr(
        "napari_spineseg.segment.preview_slice", lambda scan, s, i: np.ones((80, 40), np.uint8)
    )
    add_scan(viewer)
    with qtbot.waitSignal(page.preview.drawn):
        click(qtbot, page.preview_button)
    page.hide()
    assert not page.preview.active and "preview" not in viewer.layers
    page.show()
    assert not page.preview_button.isChecked()


def test_preview_removed_by_hand_is_off(viewer, page, qtbot, monkeypatch):
    monkeypatch.setattr(
        "napari_spineseg.segment.preview_slice", lambda scan, s, i: np.zeros((80, 40), np.uint8)
    )
    add_scan(viewer)
    with qtbot.waitSignal(page.preview.drawn):
        click(qtbot, page.preview_button)
    viewer.layers.remove("preview")
    assert not page.preview_button.isChecked() and not page.preview.active


def test_preview_error_is_told(viewer, page, qtbot, monkeypatch, notifications):
    def broken(scan, settings, index):
        raise ModelError("There is no model called 'x'.")

    monkeypatch.setattr("napari_spineseg.segment.preview_slice", broken)
    add_scan(viewer)
    with qtbot.waitSignal(page.preview.ended):
        click(qtbot, page.preview_button)
    assert notifications() == ["There is no model called 'x'."]
    assert page.card.headline.words == "No preview"
    assert not page.preview_button.isChecked()


@pytest.mark.parametrize("codes", ["RAS", "PIR"])
def test_other_orientations(viewer, page, qtbot, fake, codes):
    add_scan(viewer, column_scan(codes=codes))
    segment(page, qtbot)
    np.testing.assert_array_equal(viewer.layers[-1].data, sagittal_labels())


def test_everything_can_be_reached_with_tab(page, layer, qtbot):
    page.main_form.editor("model").setFocus()
    wanted = {"primary", "preview", "save", "fold", "label_1", "label_204", "show_disc"}
    reached = set()
    for _ in range(60):
        focus = QApplication.focusWidget()
        reached.add(focus.objectName())
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert wanted <= reached
    assert "device" not in reached, "what is folded away must not catch the focus"


def test_a_result_that_was_drawn_on_says_so_until_that_is_undone(page, layer, qtbot):
    came = page.card.footnote.words
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 2)
    qtbot.waitUntil(lambda: page.card.footnote.words == f"{came} · changed by hand since")
    assert page.session.histories[layer].undo()  # as napari's key does
    qtbot.waitUntil(lambda: page.card.footnote.words == came)


def test_opened_labels_say_which_model_made_them(page, layer):
    known = {key: value for key, value in about(layer).items() if key != "footnote"}
    layer.metadata[KEY] = {**known, "provenance": {"model": {"name": "lumbar", "version": "3"}}}
    page._say_result(layer)
    assert page.card.footnote.words == f"As opened: {layer.name} · Model lumbar 3"
    found = {"model": {"name": "tumour", "version": "1"}, "levels_model": {"name": "lumbar", "version": "3"}}
    layer.metadata[KEY] = {**known, "provenance": found}
    page._say_result(layer)
    assert page.card.footnote.words == f"As opened: {layer.name} · Model tumour 1 · levels by lumbar 3"


def test_slices_that_the_model_does_not_read_are_told_as_soon_as_they_are_chosen(viewer, page):
    good = add_scan(viewer)
    assert not page._doubt.words and not page._doubt.isVisible()
    axial = column_scan("axial")
    axial = replace(axial, voxels=np.zeros((200, 200, 8), np.int16), affine=np.diag([1.0, 1.0, 5.0, 1.0]))
    add_scan(viewer, axial)
    assert "axial slices 5.0 mm apart" in page._doubt.words and page._doubt.isVisible()
    page.session.scan = good
    assert not page._doubt.words
