"""The page inside a real napari window: what only a window can show."""

from __future__ import annotations

import gc

import numpy as np
from gui_kit import (
    add_scan,
    click,
    column_scan,
    open_page,
    open_window,
    sagittal_labels,
    start,
)


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
    job, heard = page.job, []
    for signal in (job.returned, job.failed, job.stopped, job.ended):
        signal.connect(lambda *_: heard.append(1))
    viewer.close()
    del viewer, page
    gc.collect()
    qtbot.waitUntil(lambda: job.stopping)
    fake.may_go_on.set()
    qtbot.waitUntil(lambda: not job.running)
    # Those who would hear are gone with the window.
    assert not heard
