"""Saving: back on the scan's own grid, and never over something unseen."""

from __future__ import annotations

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from gui_kit import add_scan, column_scan, sagittal_labels, segment
from napari.layers import Layer
from qtpy.QtCore import Qt

from napari_spineseg.io import read_segmentation, write_scan
from napari_spineseg.io.layers import layer_tuple_for_segmentation, segmentation_from_layer
from napari_spineseg.io.napari import read_layers, write_labels
from napari_spineseg.scan import Scan, Segmentation
from napari_spineseg.widgets.drawn_on import DrawnOn
from napari_spineseg.widgets.known import KEY, about


@pytest.fixture
def scan(tmp_path) -> Scan:
    path = tmp_path / "knee_no.nii.gz"
    scan = column_scan("knee_no", codes="LIP")
    write_scan(scan, path)
    return Scan(scan.voxels, scan.affine, name="knee_no", source=path)


@pytest.fixture
def panel(viewer, page, qtbot, fake, scan):
    """The unfolded panel over a fresh result."""
    add_scan(viewer, scan)
    segment(page, qtbot)
    qtbot.mouseClick(page.save_panel.open_button, Qt.MouseButton.LeftButton)
    return page.save_panel


def test_saved_labels_are_on_the_grid_of_the_file(panel, qtbot, scan, tmp_path):
    assert panel.path.text() == str(tmp_path / "knee_no_seg.nii.gz")
    with qtbot.waitSignal(panel.saved):
        qtbot.keyClick(panel.path, Qt.Key.Key_Return)
    image = nib.load(tmp_path / "knee_no_seg.nii.gz")
    assert image.shape == scan.grid.shape
    np.testing.assert_allclose(image.affine, scan.affine, atol=1e-4)
    back = read_segmentation(tmp_path / "knee_no_seg.nii.gz")
    np.testing.assert_array_equal(back.grid.to_orientation().apply(back.labels), sagittal_labels())
    assert panel.open_button.isVisible()


def test_a_file_that_is_there_is_named_first(panel, qtbot, tmp_path):
    (tmp_path / "knee_no_seg.nii.gz").write_bytes(b"precious")
    qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    assert (tmp_path / "knee_no_seg.nii.gz").read_bytes() == b"precious"
    assert panel.write.text() == "Replace" and "would be replaced" in panel.notice.words
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    assert read_segmentation(tmp_path / "knee_no_seg.nii.gz").labels.any()


def test_the_scan_itself_is_safe(panel, qtbot, scan):
    panel.path.setText(str(scan.source))
    qtbot.waitUntil(lambda: not panel.write.isEnabled())
    assert "the scan itself" in panel.notice.words


def test_no_scan_that_may_be_theirs_is_replaced(viewer, page, qtbot, scan, tmp_path):
    """Labels that two scans fit: it is asked which, and neither is written over."""
    add_scan(viewer, scan)
    write_scan(scan, other := tmp_path / "other.nii.gz")
    add_scan(viewer, Scan(scan.voxels, scan.affine, name="other", source=other))
    empty = column_scan("mask", codes="LIP")
    labels = Segmentation(np.ones(empty.voxels.shape, np.uint16), empty.affine, "mask")
    layer = viewer.add_layer(Layer.create(*layer_tuple_for_segmentation(labels)))
    question = page.findChild(DrawnOn)
    assert question.isVisible() and "mask fits knee_no and other" in question.words.words
    panel = page.save_panel
    qtbot.mouseClick(panel.open_button, Qt.MouseButton.LeftButton)
    for path in (scan.source, other):
        panel.path.setText(str(path))
        qtbot.waitUntil(lambda: not panel.write.isEnabled())
        assert "the scan itself" in panel.notice.words
        panel.path.setText(str(tmp_path / "mask_2.nii.gz"))
        qtbot.waitUntil(panel.write.isEnabled)
    page.session.say_scan(layer, viewer.layers["other"])
    assert question.choice.isHidden() and page.session.scan is viewer.layers["other"]
    assert question.words.words == "mask counts as drawn on other."
    assert panel.suggestion() == str(tmp_path / "other_seg.nii.gz")


def test_a_failure_is_told_and_can_be_tried_again(panel, qtbot, monkeypatch, notifications):
    def full(segmentation, path):
        from napari_spineseg.errors import OutputError

        raise OutputError("The disk is full.")

    monkeypatch.setattr("napari_spineseg.io.write_segmentation", full)
    qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: notifications() != [])
    qtbot.waitUntil(panel.write.isEnabled)
    qtbot.wait(200)  # longer than it waits before it looks at a place that was typed
    assert notifications() == ["The disk is full."] == [panel.notice.words]


def test_cancel_writes_nothing(panel, qtbot, tmp_path):
    qtbot.mouseClick(panel.cancel, Qt.MouseButton.LeftButton)
    assert panel.open_button.isVisible() and not panel.path.isVisible()
    assert [file.name for file in tmp_path.iterdir()] == ["knee_no.nii.gz"]


def made_by_a_model(panel, layer) -> None:
    """As a real run leaves it: the model, and what its labels are known again by."""
    checksum = segmentation_from_layer(layer).checksum()
    model = {"name": "lumbar", "version": "1", "sha256": "0" * 64}
    layer.metadata[KEY] = {**about(layer), "provenance": {"model": model, "labels": checksum}}
    panel.look()


def opened(path):
    return Layer.create(*read_layers(str(path))[0])


def test_which_model_made_the_labels_is_kept_beside_them(panel, page, qtbot, tmp_path):
    layer = page.session.segmentation
    made_by_a_model(panel, layer)
    (tmp_path / "knee_no_seg.json").write_text("of another run")
    panel.look()
    assert "knee_no_seg.json is there already and would be replaced" in panel.notice.words
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    again = about(opened(tmp_path / "knee_no_seg.nii.gz"))
    assert again["provenance"]["model"]["name"] == "lumbar" and "Look at L5." in again["warnings"]


def test_labels_that_were_corrected_say_so_when_they_are_opened_again(panel, page, qtbot, tmp_path):
    layer = page.session.segmentation
    made_by_a_model(panel, layer)
    layer.data_setitem((np.array([0]), np.array([0]), np.array([0])), 3)
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    again = about(opened(tmp_path / "knee_no_seg.nii.gz"))
    assert "model" not in again["provenance"]
    assert any("changed since they were segmented (by lumbar 1" in words for words in again["warnings"])


def test_labels_of_a_prepared_scan_are_not_named_after_the_file_that_they_may_not_lie_on(
    viewer, page, qtbot, fake, scan, tmp_path
):
    cut = replace(scan, name="knee_no_prep", history=({"step": "crop", "settings": {"head_mm": 4}},))
    add_scan(viewer, cut)
    segment(page, qtbot)
    assert page.save_panel.suggestion() == str(tmp_path / "knee_no_prep_seg.nii.gz")


def test_labels_that_were_begun_by_hand_lie_on_the_scan_and_keep_their_levels(
    viewer, page, qtbot, scan, tmp_path
):
    """napari's *New labels layer* knows neither the scan's grid nor what its numbers mean."""
    scan_layer = add_scan(viewer, scan)
    layer = viewer.add_labels(np.zeros(scan_layer.data.shape, int), scale=scan_layer.scale)
    layer.data_setitem((np.array([3, 3]), np.array([5, 6]), np.array([34, 34])), 2)
    qtbot.waitUntil(lambda: 2 in page.legend.chips)
    assert page.legend.chips[2].text().strip() == "L4"
    panel = page.save_panel
    qtbot.mouseClick(panel.open_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    saved = nib.load(tmp_path / "knee_no_seg.nii.gz")
    np.testing.assert_allclose(saved.affine, scan.affine, atol=1e-4)
    assert segmentation_from_layer(layer, scan).names() == {2: "L4"}
    # File > Save Selected Layers
    data, options, _ = layer.as_layer_data_tuple()
    write_labels(str(tmp_path / "saved_by_napari.nii.gz"), data, options)
    np.testing.assert_allclose(nib.load(tmp_path / "saved_by_napari.nii.gz").affine, scan.affine, atol=1e-4)


def test_a_scan_that_was_moved_is_known_again_by_labels_that_were_saved(viewer, panel, page, qtbot, tmp_path):
    """As with those of `spineseg segment`: by its checksum, whatever it and its labels are called by then."""
    made_by_a_model(panel, page.session.segmentation)
    panel.path.setText(str(tmp_path / "mask.nii.gz"))
    qtbot.waitUntil(panel.write.isEnabled)
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    viewer.layers.clear()
    moved = (tmp_path / "knee_no.nii.gz").rename(tmp_path / "b.nii.gz")
    write_scan(
        column_scan("a", codes="LIP").with_voxels(column_scan(codes="LIP").voxels + 1), tmp_path / "a.nii.gz"
    )
    for path in (moved, tmp_path / "a.nii.gz"):
        viewer.add_layer(opened(path))
    mask = viewer.add_layer(opened(tmp_path / "mask.nii.gz"))
    qtbot.waitUntil(lambda: page.session.scan_of(mask) is viewer.layers["b"])
    # Saved once more, it is known where the scan is now.
    qtbot.mouseClick(panel.open_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(panel.saved):
        qtbot.mouseClick(panel.write, Qt.MouseButton.LeftButton)
    assert about(opened(tmp_path / "b_seg.nii.gz"))["drawn_on"]["source"] == str(moved)
