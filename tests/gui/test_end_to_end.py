"""The main job as a person does it: open the sample, *Segment* it with the bundled model, save, read back."""

from __future__ import annotations

import numpy as np
from gui_kit import open_page
from qtpy.QtCore import Qt

from napari_spineseg.anatomy import Structure, levels_to_structures
from napari_spineseg.io import read_segmentation
from napari_spineseg.sample_data import LABELS, T2, sample_path
from napari_spineseg.widgets.known import about

_MINUTES = 600_000


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def test_sample_to_saved_segmentation(viewer, qtbot, tmp_path):
    page = open_page(viewer, qtbot)
    qtbot.mouseClick(page.empty.button, Qt.MouseButton.LeftButton)
    scan_layer = page.session.scan
    assert scan_layer is not None and page.run_bar.isVisible()

    viewer.dims.set_current_step(0, scan_layer.data.shape[0] // 2)
    with qtbot.waitSignal(page.preview.drawn, timeout=_MINUTES):
        qtbot.mouseClick(page.preview_button, Qt.MouseButton.LeftButton)
    assert viewer.layers["preview"].data.any()

    qtbot.mouseClick(page.run_bar.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.job is None, timeout=_MINUTES)
    labels = page.session.segmentation
    assert labels is not None, page.card.sentences
    assert "preview" not in viewer.layers

    reference = read_segmentation(sample_path(LABELS[T2]))
    truth = levels_to_structures(reference.grid.to_orientation().apply(reference.labels))
    found = levels_to_structures(labels.data)
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL):
        assert dice(found == structure, truth == structure) > 0.6, structure

    assert "L5" in page.card.headline.words and page.legend.chips[1].text().strip() == "L5"
    qtbot.mouseClick(page.legend.chips[1], Qt.MouseButton.LeftButton)
    assert labels.selected_label == 1

    qtbot.mouseClick(page.save_panel.open_button, Qt.MouseButton.LeftButton)
    page.save_panel.path.setText(str(tmp_path / "result.nii.gz"))
    with qtbot.waitSignal(page.save_panel.saved, timeout=_MINUTES):
        qtbot.keyClick(page.save_panel.path, Qt.Key.Key_Return)
    back = read_segmentation(tmp_path / "result.nii.gz")
    np.testing.assert_array_equal(back.grid.to_orientation().apply(back.labels), labels.data)
    np.testing.assert_allclose(back.affine, about(scan_layer)["affine"], atol=1e-4)

    # napari's own File > Save Selected Layers writes the same.
    viewer.layers.selection.active = labels
    viewer.layers.save(str(tmp_path / "napari.nii.gz"), selected=True, plugin="spineseg")
    again = read_segmentation(tmp_path / "napari.nii.gz")
    np.testing.assert_array_equal(again.labels, back.labels)
