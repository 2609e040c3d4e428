"""The page inside a real napari window: what only a window can show."""

from __future__ import annotations

import gc

import numpy as np
from gui_kit import (
    add_scan,
    click,
    column_scan,
    go_on,
    open_page,
    open_window,
    sagittal_labels,
    segment,
    start,
)

from napari_spineseg.errors import ModelError


def test_two_viewers_do_not_disturb_each_other(viewer, page, qtbot, fake, make_napari_viewer):
    other = open_window(make_napari_viewer, qtbot)
    other_page = open_page(other, qtbot)
    add_scan(viewer, column_scan("one"))
    assert other_page.empty.isVisible()
    add_scan(other, column_scan("two", codes="LPI"))
    start(page, fake, qtbot)
    assert other_page.job is None and other_page.run_bar.button.isVisible()
    click(qtbot, other_page.run_bar.button)
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: page.job is None and other_page.job is None)
    assert [layer.name for layer in viewer.layers] == ["one", "one_seg"]
    assert [layer.name for layer in other.layers] == ["two", "two_seg"]
    np.testing.assert_array_equal(other.layers[-1].data, sagittal_labels())


def test_closing_the_window_stops_the_job(qtbot, fake, make_napari_viewer):
    viewer = open_window(make_napari_viewer, qtbot)
    page = open_page(viewer, qtbot)
    add_scan(viewer)
    start(page, fake, qtbot)
    job = page.job
    viewer.close()
    del viewer, page
    gc.collect()
    qtbot.waitUntil(lambda: job.stopping)
    with qtbot.waitSignal(job.stopped):
        fake.may_go_on.set()
    qtbot.waitUntil(lambda: not job.running)


def test_labels_land_on_the_right_voxels(viewer, page, qtbot, fake):
    scan_layer = add_scan(viewer)
    segment(page, qtbot)
    labels = viewer.layers[-1]
    assert labels.name == "column_seg" and viewer.layers.selection.active is labels
    np.testing.assert_array_equal(labels.data, sagittal_labels())
    np.testing.assert_allclose(labels.scale, scan_layer.scale)
    np.testing.assert_allclose(labels.extent.world, scan_layer.extent.world)
    assert labels.units == scan_layer.units


def test_stop_leaves_everything_as_it_was(viewer, page, qtbot, fake):
    add_scan(viewer)
    start(page, fake, qtbot)
    click(qtbot, page.run_bar.stop)
    assert not page.run_bar.stop.isEnabled()
    go_on(page, fake, qtbot)
    assert [layer.name for layer in viewer.layers] == ["column"]
    assert "Nothing was changed" in page.hint.words
    segment(page, qtbot)
    assert len(viewer.layers) == 2


def test_an_error_is_one_sentence(viewer, page, qtbot, fake, notifications):
    add_scan(viewer)
    fake.error = ModelError("lumbar.safetensors differs from what its card describes; install it again.")
    segment(page, qtbot)
    assert notifications() == [str(fake.error)]
    assert page.card.sentences == [str(fake.error)] and not page.legend.isVisible()
    assert len(viewer.layers) == 1
