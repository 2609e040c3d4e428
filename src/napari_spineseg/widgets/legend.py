"""The structures of a segmentation with their colours and names: click one to go there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import QSize, Qt, QTimer, Signal
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from napari_spineseg.anatomy import (
    FIRST_DISC_LABEL,
    Numbering,
    Scheme,
    Structure,
    colour_of,
    names_of,
    structure_of,
)
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.lifetime import at_end_of, while_alive
from napari_spineseg.widgets.parts import tooltip
from napari_spineseg.widgets.picker import uncover
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.style import eye, give_role, swatch
from napari_spineseg.widgets.view import centre_of, go_to

_SETTLE_MS = 300
_PLURALS = {
    Structure.VERTEBRA: "Vertebrae",
    Structure.DISC: "Discs",
    Structure.CANAL: "Canal",
    Structure.TUMOUR: "Tumours",
}


class Legend(QWidget):
    """Chips for the labels of the session's segmentation, laid out as the column is.

    Vertebrae stand at the left from the top down, the disc below each at its right, canal and
    tumours last. A click goes to the structure and picks its label for painting. The headings
    hide and show a kind; hiding changes colours only, never voxels.
    """

    listed = Signal()
    """The labels were listed anew, after they or their names changed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        self._colours: dict[int | None, np.ndarray] = {}
        """Those of hidden labels before they were hidden here."""
        self._hidden: set[Structure] = set()
        self.chips: dict[int, QToolButton] = {}
        self.headings: dict[Structure, QToolButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._on_settled)
        while_alive(self, session.segmentation_changed, self.show_layer)
        while_alive(self, session.theme_changed, self._on_edited)
        # The layer may outlive the legend, and knows nothing of Qt.
        at_end_of(self, self._unwatch)
        self.show_layer(session.segmentation)

    def show_layer(self, layer: Labels | None) -> None:
        """Show the labels of `layer` from now on, and as they are edited."""
        self._unwatch()
        self._layer = layer
        self._hidden = hidden_in(layer) if layer is not None else set()
        self._colours = {}
        if layer is not None:
            layer.events.paint.connect(self._on_edited)
            layer.events.data.connect(self._on_edited)
            layer.events.selected_label.connect(self._mark_selected)
        self.refresh()

    def _unwatch(self) -> None:
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._on_edited)
            self._layer.events.data.disconnect(self._on_edited)
            self._layer.events.selected_label.disconnect(self._mark_selected)

    def refresh(self) -> None:
        """List the labels anew."""
        while (item := self._grid.takeAt(0)) is not None:
            item.widget().deleteLater()
        self.chips, self.headings = {}, {}
        if self._layer is None:
            return
        scheme, numbering = scheme_of(self._layer)
        names = names_of(labels_in(self._layer), scheme, numbering)
        kinds = {label: structure_of(label, scheme) for label in names}
        for label, name in names.items():
            self.chips[label] = self._chip(label, name, scheme)
        if scheme == "levels":
            self._lay_out_as_column(kinds)
        else:
            for row, chip in enumerate(self.chips.values()):
                self._grid.addWidget(chip, row, 0, 1, 2)
        self._mark_selected()

    def _lay_out_as_column(self, kinds: dict[int, Structure]) -> None:
        """Rows from the highest level down; a disc stands beside the vertebra above it."""
        rows = {label: label for label, kind in kinds.items() if kind is Structure.VERTEBRA}
        rows |= {
            label: label - FIRST_DISC_LABEL + 1 for label, kind in kinds.items() if kind is Structure.DISC
        }
        levels = sorted(set(rows.values()), reverse=True)
        for column, kind in enumerate((Structure.VERTEBRA, Structure.DISC)):
            if kind in kinds.values():
                self._grid.addWidget(self._heading(kind), 0, column)
        for label, level in rows.items():
            self._grid.addWidget(
                self.chips[label], 1 + levels.index(level), int(kinds[label] is Structure.DISC)
            )
        rest = [label for label in kinds if label not in rows]
        for n, label in enumerate(rest):
            self._grid.addWidget(self.chips[label], 2 + len(levels) + n // 2, n % 2)

    def _chip(self, label: int, name: str, scheme: Scheme) -> QToolButton:
        chip = _tool_button(name[:1].upper() + name[1:], "chip")
        kind = structure_of(label, scheme)
        side = self.fontMetrics().ascent()
        chip.setIconSize(QSize(side, side))
        chip.setIcon(swatch(colour_of(label, scheme), side, hollow=kind in self._hidden))
        chip.setCheckable(True)
        chip.setObjectName(f"label_{label}")
        chip.setToolTip(tooltip(f"{name}, label {label}\nClick to go there and to paint with it"))
        chip.clicked.connect(lambda: self._go_to(label))
        return chip

    def _heading(self, kind: Structure) -> QToolButton:
        hidden = kind in self._hidden
        heading = _tool_button(_PLURALS[kind], "heading")
        heading.setObjectName(f"show_{kind.name.lower()}")
        heading.setAccessibleName(f"{'Show' if hidden else 'Hide'} {_PLURALS[kind].lower()}")
        heading.setIcon(eye(self._session.viewer.theme, not hidden))
        heading.setToolTip(tooltip("Click to hide or show them in the picture; nothing is changed"))
        heading.clicked.connect(lambda: self._toggle(kind))
        self.headings[kind] = heading
        return heading

    def _go_to(self, label: int) -> None:
        layer = self._layer
        if layer is None:
            return
        layer.selected_label = label
        self._mark_selected()
        centre = centre_of(layer.data, label)
        if centre is None:
            self.refresh()
            return
        self._session.viewer.layers.selection.active = layer
        uncover(self._session, layer)
        go_to(self._session.viewer, layer.data_to_world(centre))

    def _toggle(self, kind: Structure) -> None:
        self._hidden ^= {kind}
        scheme, _ = scheme_of(self._layer)
        colours = dict(_colours_of(self._layer))
        for label in {*self.chips, *_transparent(colours)}:
            if structure_of(label, scheme) is not kind:
                continue
            if kind in self._hidden:
                self._colours[label] = colours.get(label, colour_of(label, scheme))
                colours[label] = np.zeros(4)
            else:
                colours[label] = self._colours.get(label, colour_of(label, scheme))
        self._layer.colormap = DirectLabelColormap(color_dict=colours)
        self.refresh()

    def _mark_selected(self, event: object = None) -> None:
        selected = self._layer.selected_label if self._layer is not None else None
        for label, chip in self.chips.items():
            chip.setChecked(label == selected)

    def _on_edited(self, event: object = None) -> None:
        self._settle.start()

    def _on_settled(self) -> None:
        if self._session.open:
            self.refresh()
            self.listed.emit()


def scheme_of(layer: Labels) -> tuple[Scheme, Numbering]:
    """What the numbers of `layer` mean; `levels` with five lumbar vertebrae where nothing is said."""
    known = about(layer)
    numbering = known.get("numbering") or Numbering()
    if isinstance(numbering, dict):
        numbering = Numbering(**numbering)
    return known.get("scheme", "levels"), numbering


def labels_in(layer: Labels) -> list[int]:
    """Labels that occur, background left out, ascending."""
    return sorted(numbers_in(layer.data) - {0})


def numbers_in(slices: Iterable[np.ndarray]) -> set[int]:
    """Numbers that occur in a volume of labels, that of the background too."""
    # Sorting all voxels takes long; where a label begins, along a row, is seen at once.
    found: set[int] = set()
    for plane in slices:
        flat = np.asarray(plane).ravel()
        begins = flat[1:][flat[1:] != flat[:-1]]
        found.update(np.unique(begins).tolist(), flat[:1].tolist())
    return found


def hidden_in(layer: Labels) -> set[Structure]:
    """Kinds that are hidden in a layer. It is the layer that knows: another one may have been shown since."""
    scheme, _ = scheme_of(layer)
    return {structure_of(label, scheme) for label in _transparent(_colours_of(layer))}


def _colours_of(layer: Labels) -> Mapping[int | None, np.ndarray]:
    return layer.colormap.color_dict if isinstance(layer.colormap, DirectLabelColormap) else {}


def _transparent(colours: Mapping[int | None, np.ndarray]) -> list[int]:
    return [label for label, colour in colours.items() if label and colour[3] == 0]


def _tool_button(text: str, role: str) -> QToolButton:
    button = QToolButton()
    button.setText(f"\u2009{text}")  # a thin space, for Qt puts icon and text close together
    button.setAccessibleName(text)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    give_role(button, role)
    return button
