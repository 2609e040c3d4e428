"""The tools of the Correct page: which there are, and how one is run on a layer as one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QWidget

from napari_spineseg.anatomy import names_of
from napari_spineseg.corrections import tools
from napari_spineseg.corrections.confine import Rule
from napari_spineseg.corrections.edit import Edit, Spacing, nothing
from napari_spineseg.widgets.correct.keys import key_of
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.parts import tooltip
from napari_spineseg.widgets.view import volume_axes

_SMOOTH_PIXELS = 2.0
_SNAP_MM = 2.0
_ISLAND_ML = 0.2


@dataclass(frozen=True)
class Place:
    """What a tool works on.

    Attributes
    ----------
    labels, image
        (slices, rows, columns); the image is None where the scan is not open.
    label
        The chosen structure.
    axis, index
        Across which axis slices are shown, and which one is.
    whole
        Whether tools work through the whole volume or on the slice that is shown.
    rule
        What may be drawn over.
    """

    labels: np.ndarray
    image: np.ndarray | None
    label: int
    spacing: Spacing
    axis: int
    index: int
    whole: bool
    rule: Rule

    @property
    def plane(self) -> tuple[int, int] | None:
        """The only slice to work on, None for all."""
        return None if self.whole else (self.axis, self.index)

    @property
    def pixel(self) -> float:
        """The smaller pixel size on the slices, mm."""
        return min(step for n, step in enumerate(self.spacing) if n != self.axis)


def place_of(layer: Labels, scan: Image | None, dims: object, whole: bool, rule: Rule) -> Place:
    """Where tools work now. In 3D the slices count as sagittal ones."""
    shown = volume_axes(dims.displayed, dims.ndim)
    hidden = [n for n in range(3) if n not in shown]
    axis = hidden[0] if hidden else 0
    index = round(float(layer.world_to_data(dims.point)[axis]))
    image = np.asarray(scan.data) if scan is not None and scan.data.shape == layer.data.shape else None
    spacing = tuple(float(v) for v in layer.scale)
    last = layer.data.shape[axis] - 1
    return Place(
        layer.data, image, int(layer.selected_label), spacing, axis, min(max(index, 0), last), whole, rule
    )


def _snap(at: Place) -> Edit:
    if at.image is None:
        return nothing("Open the scan of this segmentation, so that its edges are known.")
    return tools.snap_to_edge(at.labels, at.image, at.label, at.spacing, _SNAP_MM, at.plane, at.rule)


TOOLS: Mapping[str, Callable[[Place], Edit]] = {
    "fill_between": lambda at: tools.fill_between(at.labels, at.label, at.spacing, at.axis, rule=at.rule),
    "grow": lambda at: tools.grow(at.labels, at.label, at.pixel, at.spacing, at.plane, at.rule),
    "shrink": lambda at: tools.shrink(at.labels, at.label, at.pixel, at.spacing, at.plane),
    "smooth": lambda at: tools.smooth(
        at.labels, at.label, _SMOOTH_PIXELS * at.pixel, at.spacing, at.plane, at.rule
    ),
    "fill_holes": lambda at: tools.fill_holes(at.labels, at.label, axis=at.axis),
    "snap": _snap,
    "copy_previous": lambda at: tools.copy_from_slice(
        at.labels, at.index, at.index - 1, at.axis, at.label, at.rule
    ),
    "copy_next": lambda at: tools.copy_from_slice(
        at.labels, at.index, at.index + 1, at.axis, at.label, at.rule
    ),
    "keep_largest": lambda at: tools.keep_largest(at.labels, at.label, at.spacing),
    "erase_islands": lambda at: tools.erase_islands(at.labels, at.spacing, _ISLAND_ML),
    "erase_structure": lambda at: tools.erase_structure(at.labels, at.label, at.spacing, at.plane),
}
"""Tools that need nothing but a place: by the name of their key."""


def edit_of(action: str, at: Place, layer: Labels) -> Edit:
    """What a tool changes; its words name the structure, for the list that shows it may be out of sight."""
    edit = TOOLS[action](at)
    if not at.label or action == "erase_islands":
        return edit
    name = names_of([at.label], *scheme_of(layer))[at.label]
    return edit.saying(f"{edit.words.removesuffix('.')} ({name}).")


ALL_SLICES = ("fill_between", "keep_largest", "erase_islands")
"""Tools that work through all slices whatever is ticked."""

# Short enough for half of a narrow dock.
_TITLES = {
    "carry": "Carry over",
    "fix": "Click to fix",
    "fill_between": "Fill between",
    "grow": "Grow",
    "shrink": "Shrink",
    "smooth": "Smooth",
    "fill_holes": "Fill holes",
    "snap": "Snap to edge",
    "copy_previous": "Copy previous",
    "copy_next": "Copy next",
    "keep_largest": "Keep largest",
    "erase_islands": "Erase islands",
    "erase_structure": "Erase all of it",
    "split": "Split",
    "split_line": "Split by line",
    "merge": "Merge",
}
CLICK_TOOLS = ("split", "split_line", "merge", "fix")
"""Tools that go on by clicks in the picture."""


class ToolGrid(QWidget):
    """A button for each tool, with its key."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QPushButton] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for number, (action, title) in enumerate(_TITLES.items()):
            button = self.buttons[action] = _button(action, title)
            button.clicked.connect(lambda _=False, action=action: self.chosen.emit(action))
            layout.addWidget(button, number // 2, number % 2)

    def show_active(self, action: str | None) -> None:
        """Mark the tool that waits for clicks."""
        for name, button in self.buttons.items():
            button.setChecked(name == action)


def _button(action: str, title: str) -> QPushButton:
    key = key_of(action)
    button = QPushButton()
    button.setObjectName(action)
    button.setText(title)
    button.setAccessibleName(key.words)
    button.setToolTip(tooltip(f"{key.words} ({key.text})"))
    button.setCheckable(action in CLICK_TOOLS)
    return button
