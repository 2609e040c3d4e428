"""Going where a figure was taken, in a real window with real clicks and keys, and the lines drawn there."""

from __future__ import annotations

import numpy as np
import pytest
from correct_kit import key
from correct_kit import press as draw
from figures_kit import add_labels, ends_of, labels_of, measure
from gui_kit import click, clipped, column_scan
from napari.layers import Shapes
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QFont, QFontMetrics

from napari_spineseg.anatomy import colour_of
from napari_spineseg.scan import Scan
from napari_spineseg.widgets.measure.going import TURNED
from napari_spineseg.widgets.measure.lines import Line, flattened
from napari_spineseg.widgets.measure.page import LABELS_CHANGED
from napari_spineseg.widgets.measure.work import Result
from napari_spineseg.widgets.session import layers_of

OBLIQUE = np.array([[0.1, 0.2, 3.9, -11], [1.9, 0, 0.3, -21], [0, -2.1, 0.1, 31], [0, 0, 0, 1]])


def lines_of(viewer) -> list[Shapes]:
    return [layer for layer in layers_of(viewer) if isinstance(layer, Shapes)]


def drawn(layer: Shapes) -> dict[str, list[np.ndarray]]:
    """The paths of a layer by their colour, "#rrggbb"."""
    found: dict[str, list[np.ndarray]] = {}
    for points, colour in zip(layer.data, layer.edge_color, strict=True):
        name = "#" + "".join(f"{round(255 * v):02x}" for v in colour[:3])
        if colour[3]:  # what is not seen bears the words
            found.setdefault(name, []).append(points)
    return found


def press(qtbot, table, row: int, column: int) -> None:
    """Click into a cell."""
    table.scrollToItem(table.item(row, column))
    place = table.visualItemRect(table.item(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def cut_off(table) -> list[str]:
    """Headings and cells of a table that do not fit where they stand."""
    bold = QFont(table.font())
    bold.setBold(True)
    found = []
    for column in range(table.columnCount()):
        words = table.horizontalHeaderItem(column).text()
        cells = [table.item(row, column).text() for row in range(table.rowCount())]
        widths = [QFontMetrics(bold).horizontalAdvance(line) for line in words.splitlines()]
        widths += [table.fontMetrics().horizontalAdvance(cell) for cell in cells]
        lines = len(words.splitlines()) * table.fontMetrics().lineSpacing()
        if max(widths) > table.columnWidth(column) or lines > table.horizontalHeader().height():
            found.append(words)
    return found


@pytest.fixture
def measured(docked, fake, qtbot):
    """The page in a window, after *Measure*, and the labels."""
    _, layer = add_labels(docked.session.viewer)
    measure(docked, qtbot)
    qtbot.waitUntil(docked.panel.table.isVisible)
    qtbot.wait(50)
    return docked, layer


def test_figures_are_current_again_when_a_stroke_is_undone(shared, measured, qtbot):
    """With the brush in the picture, and the keys of the picture."""
    page, layer = measured
    shared.layers.selection.active = layer
    layer.mode, layer.selected_label, layer.brush_size = "paint", 3, 3
    draw(shared, layer, (3, 4, 4), (3, 4, 8))
    assert page.out_of_date == LABELS_CHANGED and not page.panel.copy_button.isEnabled()
    key(shared, "Control-Z")
    qtbot.waitUntil(lambda: not page.out_of_date)
    assert page.panel.copy_button.isEnabled() and LABELS_CHANGED not in page.card.sentences
    key(shared, "Control-Shift-Z")
    assert page.out_of_date == LABELS_CHANGED


def test_clicks_and_keys_go_to_the_figure_and_draw_its_line(shared, measured, qtbot):
    viewer, (page, layer) = shared, measured
    table = page.panel.table
    viewer.dims.set_point(0, 0)
    press(qtbot, table, 3, 0)  # L5
    assert page.panel.what.words == "L5, Body height, anterior: 10.0 mm"
    assert round(layer.world_to_data(viewer.dims.point)[0]) == 2
    (lines,) = lines_of(viewer)
    assert viewer.layers.selection.active is not lines and np.array_equal(lines.scale, layer.scale)
    for up in (Qt.Key.Key_Up, Qt.Key.Key_Up):
        qtbot.keyClick(table, up)
    assert page.panel.what.words == "L3, Body height, anterior: 30.0 mm"
    assert lines_of(viewer) == [lines]
    # The chosen one on a dark casing, the others in the colours of their levels.
    paths = drawn(lines)
    assert set(paths) == {"#ffd166", "#000000", "#ffffff", *(colour_of(n) for n in (1, 2, 4))}
    (chosen,) = paths["#ffd166"]
    assert [lines.features["ink"][n] for n in np.flatnonzero(lines.features["words"])][-1] == "#ffd166"
    rows = np.flatnonzero((layer.data[2] == 3).any(1))
    assert np.allclose(sorted(chosen[:, 1]), [rows[0], rows[-1]]) and (chosen[:, 0] == 2).all()
    assert sorted(set(lines.features["words"])) == ["", "30.0 mm"]
    assert lines._data_view.displayed_vertices.size  # it is on the slice that is shown
    # What is no longer true is not shown as if it were.
    layer.data_setitem((np.array([2, 2]), np.array([0, 1]), np.array([0, 0])), 3)
    assert set(lines.features["words"]) == {"", "30.0 mm, out of date"}
    # A level's name stands for its figure; a figure without a place goes to its level.
    place = table.verticalHeader().sectionViewportPosition(0) + 5
    qtbot.mouseClick(table.verticalHeader().viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, place))
    assert page.panel.what.words.startswith("L2, Body height, anterior")
    # The same cell again, after the view has moved away.
    viewer.dims.set_point(0, 0)
    qtbot.keyClick(table, Qt.Key.Key_Return)
    assert round(layer.world_to_data(viewer.dims.point)[0]) == 2
    viewer.dims.set_point(0, 0)
    press(qtbot, table, 0, 0)
    assert round(layer.world_to_data(viewer.dims.point)[0]) == 2
    # Another plane: a line lies in a slice of that one.
    viewer.dims.order = (1, 0, 2)
    assert all(np.ptp(points[:, 1]) == 0 for points in lines.data)
    viewer.dims.order = (0, 1, 2)
    # What lies in the coronal plane is shown in that, until something else is chosen.
    click(qtbot, page.panel.kinds["spine"])
    press(qtbot, table, 0, 1)
    assert viewer.dims.order == (2, 1, 0) and page.hint.words == TURNED
    assert viewer.scene.camera.orientation2d == ("down", "left")
    assert [np.ptp(points[:, 2]) for points in lines.data] == [0] * len(lines.data)
    assert round(layer.world_to_data(viewer.dims.point)[2]) == round(lines.data[0][0, 2])
    press(qtbot, table, 0, 0)
    assert viewer.dims.order == (0, 1, 2)
    assert viewer.scene.camera.orientation2d == ("down", "right")
    press(qtbot, table, 0, 1)
    # On another page lines and plane would be in the way; back here the lines are there again.
    page.hide()
    assert lines_of(viewer) == [] and viewer.dims.order == (0, 1, 2)
    page.show()
    assert len(lines_of(viewer)) == 1
    viewer.layers.remove(layer)
    assert lines_of(viewer) == []


def test_lines_are_drawn_beside_a_time_series_too(shared, measured, qtbot):
    """The window has four axes then, and the volume the last three of them."""
    page, labels = measured
    shared.add_image(np.zeros((2, 6, 80, 40), np.uint8), visible=False)
    shared.layers.selection.active = labels
    press(qtbot, page.panel.table, 0, 0)
    (layer,) = lines_of(shared)
    places = np.concatenate(list(layer.data))[:, 0]
    assert shared.dims.ndim == 4 and len(set(places)) == 1
    assert layer.world_to_data(shared.dims.point)[0] == pytest.approx(places[0])


def test_the_lines_may_be_removed_by_hand_and_nobody_works_on_them(shared, measured, qtbot, tmp_path):
    viewer, (page, layer) = shared, measured
    table, image = page.panel.table, page.session.scan
    press(qtbot, table, 3, 0)
    (lines,) = lines_of(viewer)
    viewer.layers.selection.active = lines
    assert page.session.segmentation is layer and page.session.scan is image
    assert lines not in page.session.scans() and lines not in page.session.segmentations()
    with pytest.warns(UserWarning, match="not a valid writer"):
        assert not viewer.layers.save(str(tmp_path / "lines.nii.gz"), selected=True, plugin="spineseg")
    assert not list(tmp_path.iterdir())
    viewer.layers.remove(lines)
    assert page.measured is not None
    qtbot.keyClick(table, Qt.Key.Key_Up)
    (again,) = lines_of(viewer)
    assert again is not lines and page.panel.what.words.startswith("L4")


def test_nothing_is_cut_off_in_a_narrow_dock_in_either_theme(shared, dock, measured, qtbot):
    page, layer = measured
    table = page.panel.table
    page.advanced.expand(animate=False)
    for kind, button in page.panel.kinds.items():
        shared.theme = "light" if kind == "disc" else "dark"
        click(qtbot, button)
        press(qtbot, table, table.rowCount() - 1, table.columnCount() - 1)
        qtbot.waitUntil(lambda: clipped(page) == [] == cut_off(table))
    click(qtbot, page.saver.open_button)
    layer.name = "sub-0123_ses-20240131_acq-sagittal_run-02_T2w_with_a_very_long_name"
    qtbot.waitUntil(lambda: page.saver.folder.isVisible() and clipped(page) == [])
    layer.data = layer.data * 0
    qtbot.waitUntil(lambda: page.card.headline.words.startswith("Out of date") and clipped(page) == [])
    assert page.width() <= 320


def test_five_steps_fit_into_the_panel(shared, dock, qtbot):
    font = QFont(next(iter(dock.steps.values())).font())
    font.setBold(True)  # as the one is that is shown
    assert len(dock.steps) == 5
    for width in (340, 309):
        dock.parentWidget().setFixedWidth(width)
        qtbot.waitUntil(lambda width=width: dock.width() == width)
        for step in dock.steps.values():
            assert QFontMetrics(font).horizontalAdvance(step.text()) <= step.width(), step.text()
            assert step.x() + step.width() <= width


def test_copying_from_the_table(shared, measured, qtbot):
    from qtpy.QtWidgets import QApplication

    page, _ = measured
    table = page.panel.table
    press(qtbot, table, 3, 0)
    QApplication.clipboard().clear()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].startswith("Level\tBody height, anterior (mm)\tBody height, middle (mm)")
    assert lines[4].startswith("L5\t10.0\t") and len(lines) == 5
    QApplication.clipboard().clear()
    click(qtbot, page.panel.kinds["disc"])
    click(qtbot, page.panel.copy_button)
    assert QApplication.clipboard().text().splitlines()[1].startswith("L1/L2\t")


@pytest.mark.parametrize("codes", ["SAL", "RIP", "LPS"])
def test_places_in_the_patient_are_found_in_the_layer_whatever_its_axes(codes):
    scan = column_scan(codes=codes)
    segmentation = labels_of(scan)
    shown = segmentation.grid.to_orientation().apply(segmentation.labels)
    points = Result(None, segmentation, scan, None).index_of(ends_of(segmentation, 2))
    rows = np.flatnonzero((shown == 2).any((0, 2)))
    assert np.allclose(sorted(points[:, 1]), [rows[0], rows[-1]])
    assert np.allclose(points[:, 0], 2.5) and np.allclose(points[:, 2], 14.5)


def test_and_on_oblique_grids():
    scan = Scan(np.zeros((12, 10, 8), np.int16), OBLIQUE)
    segmentation = labels_of(scan)
    shown = segmentation.grid.to_orientation()
    index = np.array([[1.0, 2, 3], [4, 5, 6]])
    places = index @ shown.grid.affine[:3, :3].T + shown.grid.affine[:3, 3]
    back = Result(None, segmentation, scan, None).index_of(tuple(map(tuple, places)))
    assert np.allclose(back, index)


def test_a_line_across_slices_is_moved_into_the_one_its_figure_is_shown_in():
    points, place = np.array([[1.0, 2, 3], [2.2, 5, 6]]), np.array([1.6, 3.5, 4.5])
    assert flattened(Line(points, place, ""), (0,), (9, 9, 9)).tolist() == [[2, 2, 3], [2, 5, 6]]
    assert flattened(Line(points, place + 9, ""), (0,), (9, 9, 9))[:, 0].tolist() == [8, 8]
    assert np.array_equal(flattened(Line(points, place, ""), (), (9, 9, 9)), points)
