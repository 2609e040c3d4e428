"""What the tests of the Prepare page share."""

from __future__ import annotations

import numpy as np
from gui_kit import click
from qtpy.QtCore import Qt

from napari_spineseg.scan import Scan


def tissue_scan(name: str = "tissue", seed: int = 3) -> Scan:
    """Stripes in an ellipse with noise and air around it; 8 slices of 4 mm, stored as A, S, L."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:48, :40]
    body = ((rows - 24) / 20) ** 2 + ((columns - 20) / 15) ** 2 < 1
    view = np.where(body, 300 + 200 * ((rows // 6) % 2), 20) + rng.normal(0, 12, (8, 48, 40))
    affine = np.array([[4.0, 0, 0, -18], [0, 0, -1.0, 20], [0, -1.0, 0, 24], [0, 0, 0, 1]])
    sagittal = Scan(np.clip(view, 0, None).astype(np.int16), affine)
    turn = sagittal.grid.to_orientation(("A", "S", "L"))
    voxels = np.ascontiguousarray(turn.apply(sagittal.voxels))
    return Scan(voxels, turn.grid.affine, name=name, sequence="T2")


def add_step(page, qtbot, name: str) -> None:
    """Add a step with the mouse: the button, then its line in the menu."""
    click(qtbot, page.steps.add_button)
    menu = page.steps.menu
    qtbot.waitUntil(menu.isVisible)
    action = next(a for a in menu.actions() if a.objectName() == name)
    qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())
    qtbot.waitUntil(lambda: not menu.isVisible())


def type_number(qtbot, box, value: float) -> None:
    """Type a number and press Enter, as a person does."""
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box.lineEdit(), f"{value:g}")
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)


def apply(page, qtbot) -> None:
    """Press *Apply* and wait for the end of the run."""
    click(qtbot, page.run_bar.button)
    assert page.job is not None
    qtbot.waitUntil(lambda: page.job is None)


def click_row(page, qtbot, row: int, on_box: bool = False) -> None:
    """Click a step of the list, on its words or on its check box."""
    rows = page.steps.list
    place = rows.visualItemRect(rows.item(row))
    point = place.center()
    if on_box:
        point.setX(place.left() + 8)
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=point)
