"""Finding tumours, in the window: what was found as a list to jump to, and a click that outlines one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Numbering, Structure, colour_of
from napari_spineseg.errors import SpineSegError
from napari_spineseg.models import get_model
from napari_spineseg.tumours.scan import finds_tumours
from napari_spineseg.widgets.correct.clicks import ClickTool
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.picker import uncover
from napari_spineseg.widgets.segment.click_tumour import MODEL, ClickTumour
from napari_spineseg.widgets.segment.findings_list import FindingsList
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.view import go_to


class FindTumours(QWidget):
    """*Find tumours*, the list of what was found, and *Click a tumour*."""

    wanted = Signal(str)
    """*Find tumours* was pressed: segment with the model of this name."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._listed: tuple[Labels | None, Numbering, list[dict[str, Any]]] = (None, Numbering(), [])
        self.find = _button(
            "Find tumours", "find_tumours", "Look for tumours in the whole scan (experimental)"
        )
        self.click = _button(
            "Click a tumour",
            "click_tumour",
            "Click on a tumour, or drag a box around it; right click beside it to take away; Escape ends",
        )
        self.click.setCheckable(True)
        self.notice = Words(
            "Tumours are experimental: learnt from painted ones, not validated on patients.", "muted"
        )
        self.words = Words("", "muted")
        self.list = FindingsList()
        self.list.setToolTip(tooltip("Click a finding to go there"))
        self.clicks = ClickTumour(session, self)
        self._lay_out()
        self.find.clicked.connect(lambda: self.wanted.emit(MODEL))
        self.click.toggled.connect(self._on_toggled)
        self.list.itemClicked.connect(self._go)
        self.clicks.said.connect(self.words.say)
        self.clicks.ended.connect(lambda: self.click.setChecked(False))
        while_alive(self, session.segmentation_changed, self.show_layer)
        self.show_layer(session.segmentation)

    @property
    def tool(self) -> ClickTool:
        """What listens for clicks in the picture."""
        return self.clicks.tool

    def show_layer(self, layer: Labels | None) -> None:
        """List the findings of a segmentation; clicks on another one end."""
        if layer is not self.tool.layer and self.tool.active:
            self.tool.stop()
        self.show_findings(layer)

    def show_findings(self, layer: Labels | None) -> None:
        """List the findings anew: they may have been corrected, or their places have other names."""
        scheme, numbering = scheme_of(layer) if layer is not None else ("levels", Numbering())
        if self._listed[0] is not layer or self._listed[1] != numbering:
            self._listed = (None, numbering, [])
        findings = findings_of(layer, self._listed[2])
        self._listed = (layer, numbering, findings or [])
        self.list.show_findings((colour_of(f["label"], scheme), words_of(f), f) for f in findings or ())
        if not self.tool.active:
            self.words.say("No tumour was found." if findings == [] else "")

    def hideEvent(self, event: QHideEvent) -> None:
        """On another page clicks belong to that page's tools."""
        super().hideEvent(event)
        self.clicks.stop()

    def _on_toggled(self, on: bool) -> None:
        self.clicks.start() if on else self.clicks.stop()

    def _go(self, item: QListWidgetItem) -> None:
        finding, layer = self.list.finding_of(item), self._session.segmentation
        if layer is None or layer not in layers_of(self._session.viewer):
            return
        uncover(self._session, layer)
        go_to(self._session.viewer, layer.data_to_world(finding["centre"]))
        layer.selected_label = finding["label"]

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.notice)
        # One below the other: side by side they would widen a narrow dock.
        layout.addWidget(self.find)
        layout.addWidget(self.click)
        layout.addWidget(self.words)
        layout.addWidget(self.list)


def tumour_model_there() -> bool:
    """Whether there is a tumour model to find any with."""
    try:
        return finds_tumours(get_model(MODEL).structures)
    except SpineSegError:
        return False


def findings_of(layer: Labels | None, before: Iterable[dict[str, Any]] = ()) -> list[dict[str, Any]] | None:
    """The tumours that a segmentation holds; None where there is none and no model looked for any.

    `before` is what was listed last: what has not changed since is not measured again.
    """
    if layer is None:
        return None
    records = (about(layer).get("provenance") or {}).get("tumours")
    if scheme_of(layer)[0] == "structures":  # one number for all: what the model said is all that is known
        return records and [{**record, "label": int(Structure.TUMOUR)} for record in records]
    if not (np.asarray(layer.data) >= FIRST_TUMOUR_LABEL).any():
        return records if records == [] else None
    # Not before there is a tumour to measure: it takes half a second to import.
    from napari_spineseg.tumours.listing import listed

    spacing = tuple(float(v) for v in layer.scale[-3:])
    found = listed(np.asarray(layer.data), spacing, scheme_of(layer)[1], (*(records or ()), *before))
    return found


def words_of(finding: dict[str, Any]) -> str:
    """One line of the list.

    >>> words_of({"where": "L3 body", "mm": 18.2, "ml": 3.14, "confidence": 0.91})
    'L3 body · 18 mm · 3.1 ml · 91 % sure'
    >>> words_of({"where": "L3 body", "mm": 18.2, "ml": 3.14, "confidence": None})
    'L3 body · 18 mm · 3.1 ml'
    """
    sure = finding["confidence"]
    doubt = "" if sure is None else f" · {100 * sure:.0f} % sure"
    return f"{finding['where']} · {finding['mm']:.0f} mm · {finding['ml']:.1f} ml{doubt}"


def _button(text: str, name: str, hint: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tooltip(hint))
    return button
