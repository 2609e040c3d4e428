"""The legend: names and colours of what is there, going there, hiding a kind."""

from __future__ import annotations

import numpy as np
import pytest
from gui_kit import sagittal_labels
from qtpy.QtCore import Qt

from napari_spineseg.anatomy import Structure, colour_of
from napari_spineseg.widgets.legend import labels_in


def click(qtbot, chip):
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)


def test_every_label_has_its_name_in_the_order_of_the_body(page, layer):
    texts = {label: chip.text().strip() for label, chip in page.legend.chips.items()}
    assert texts[1] == "L5" and texts[4] == "L2" and texts[202] == "L4/L5" and texts[100] == "Spinal canal"
    heights = [page.legend.chips[label].y() for label in (4, 3, 2, 1, 100)]
    assert heights == sorted(heights)
    assert page.legend.chips[202].y() == page.legend.chips[2].y()


def test_colours_are_those_of_the_picture(page, layer):
    for label, chip in page.legend.chips.items():
        image = chip.icon().pixmap(16, 16).toImage()
        assert image.pixelColor(image.width() // 2, image.height() // 2).name() == colour_of(label)


def test_a_click_goes_there_and_picks_the_label(viewer, page, layer, qtbot):
    viewer.dims.set_current_step(0, 0)
    viewer.scene.camera.zoom = 60
    click(qtbot, page.legend.chips[3])
    assert layer.selected_label == 3
    assert layer.data[viewer.dims.current_step[0]].max() > 0
    row, column = viewer.scene.camera.center[-2:]
    rows, columns = np.nonzero(sagittal_labels()[viewer.dims.current_step[0]] == 3)
    assert (row, column) == pytest.approx((rows.mean(), columns.mean()))
    assert page.legend.chips[3].isChecked() and not page.legend.chips[1].isChecked()


def test_the_label_picked_in_napari_is_marked(page, layer):
    layer.selected_label = 202
    assert page.legend.chips[202].isChecked()


def test_works_from_the_keyboard(page, layer, qtbot):
    page.legend.chips[2].setFocus()
    qtbot.keyClick(page.legend.chips[2], Qt.Key.Key_Space)
    assert layer.selected_label == 2


def test_a_kind_is_hidden_and_shown_and_voxels_stay(page, layer, qtbot):
    before = layer.data.copy()
    click(qtbot, page.legend.headings[Structure.DISC])
    assert layer.colormap.map(np.array([202]))[0, 3] == 0
    assert layer.colormap.map(np.array([2]))[0, 3] > 0
    click(qtbot, page.legend.headings[Structure.DISC])
    assert layer.colormap.map(np.array([202]))[0, 3] > 0
    np.testing.assert_array_equal(layer.data, before)


def test_what_was_hidden_can_be_shown_after_looking_at_another_segmentation(viewer, page, layer, qtbot):
    before = layer.colormap.map(np.array([202]))
    click(qtbot, page.legend.headings[Structure.DISC])
    viewer.add_labels(sagittal_labels(), scale=layer.scale, name="other")
    assert page.legend.headings[Structure.DISC].accessibleName() == "Hide discs"
    viewer.layers.selection.active = layer
    assert page.legend.headings[Structure.DISC].accessibleName() == "Show discs"
    click(qtbot, page.legend.headings[Structure.DISC])
    np.testing.assert_allclose(layer.colormap.map(np.array([202])), before)


def test_follows_edits_and_their_undo(page, layer, qtbot):
    layer.selected_label = 5
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 5)
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: 5 in page.legend.chips)
    layer.undo()
    layer.events.paint(value=[])
    qtbot.waitUntil(lambda: 5 not in page.legend.chips)


def test_follows_the_chosen_segmentation(viewer, page, layer):
    data = np.zeros_like(layer.data)
    data[2, 3:6, 4:8] = 201
    viewer.add_labels(data, scale=layer.scale, metadata={"spineseg": {"scheme": "levels"}})
    assert list(page.legend.chips) == [201]
    viewer.layers.selection.active = layer
    assert len(page.legend.chips) == 9


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_of_any_kind_are_found(viewer, dtype):
    data = np.zeros((3, 4, 5), dtype)
    data[1, 2, 3], data[2, 0, 0] = 7, 120
    if dtype is not np.uint8:
        data[0, 0, 0] = 100_000
    layer = viewer.add_labels(data)
    assert labels_in(layer) == [7, 120] + ([] if dtype is np.uint8 else [100_000])
