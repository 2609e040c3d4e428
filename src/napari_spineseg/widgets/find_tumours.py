"""Finding tumours, in the window: what was found as a list to jump to, and a click that outlines one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, colour_of
from napari_spineseg.corrections.edit import Edit, edit_to
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import LayerView, scan_from
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control
from napari_spineseg.tumours.scan import finds_tumours
from napari_spineseg.widgets.correct_clicks import ClickTool, Gesture
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.session import Session, about, layers_of, while_alive
from napari_spineseg.widgets.style import swatch
from napari_spineseg.widgets.view import go_to, placement_of
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.tumours.click import Outline, TumourClicks

MODEL = "tumour"
_ROWS, _SWATCH = 5, 10
_LAST_LABEL = FIRST_TUMOUR_LABEL + 98


class FindTumours(QWidget):
    """*Find tumours*, the list of what was found, and *Click a tumour*."""

    wanted = Signal(str)
    """*Find tumours* was pressed: segment with the model of this name."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._clicks: TumourClicks | None = None
        self._of: Image | None = None
        self._job: Job | None = None
        self._outline: Outline | None = None
        self._label = 0
        self._under = np.zeros((0, 0, 0), np.uint16)
        self._hints: tuple[list, list] = ([], [])
        self.find = _button(
            "Find tumours", "find_tumours", "Look for tumours in the whole scan (experimental)"
        )
        self.click = _button(
            "Click a tumour",
            "click_tumour",
            "Click on a tumour, or drag a box around it; right click beside it to take away; Escape ends",
        )
        self.click.setCheckable(True)
        self.notice = Words("Experimental: learnt from painted tumours, not validated on patients.", "muted")
        self.words = Words("", "muted")
        self.list = QListWidget()
        self.list.setObjectName("findings")
        self.list.setToolTip(tooltip("Click a finding to go there"))
        self.tool = ClickTool(self)
        self._lay_out()
        self.find.clicked.connect(lambda: self.wanted.emit(MODEL))
        self.click.toggled.connect(self._on_toggled)
        self.list.itemClicked.connect(self._go)
        self.tool.made.connect(lambda _, gesture: self.take(gesture))
        self.tool.ended.connect(lambda: self.click.setChecked(False))
        while_alive(self, session.segmentation_changed, self.show_layer)
        self.show_layer(session.segmentation)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and clicks are answered."""
        return self._clicks is not None and self._job is None

    def show_layer(self, layer: Labels | None) -> None:
        """List the findings of a segmentation; clicks on another one end."""
        if layer is not self.tool._layer and self.tool.active:
            self.tool.stop()
        self.show_findings(layer)

    def show_findings(self, layer: Labels | None) -> None:
        """List the findings anew: their places may have other names."""
        findings = findings_of(layer)
        self.list.clear()
        for finding in findings or ():
            item = QListWidgetItem(swatch(colour_of(finding["label"]), _SWATCH), words_of(finding))
            item.setData(256, finding)
            self.list.addItem(item)
        height = self.list.sizeHintForRow(0) * min(len(findings or ()), _ROWS) + 6
        self.list.setFixedHeight(max(height, 0))
        self.list.setVisible(bool(findings))
        if not self.tool.active:
            self.words.say("No tumour was found." if findings == [] else "")

    def take(self, gesture: Gesture) -> None:
        """Answer a click or a box on the segmentation."""
        layer = self._session.segmentation
        if layer is None or self._clicks is None:
            return
        from napari_spineseg.corrections.click import Hints

        within = None
        if not gesture.is_click and not gesture.remove:
            within, (inside, outside) = (gesture.points[0], gesture.points[-1]), ([], [])
        else:
            inside, outside = self._continued(layer, gesture)
        hints = Hints(tuple(inside), tuple(outside))
        current = None if within is not None or len(inside) + len(outside) == 1 else self._outline
        outline = self._clicks.outline(hints, within, current)
        if not outline and self._outline is None:
            self.words.say("Nothing stands out there; drag a box around it.")
            return
        if current is None:
            self._label, self._under = _free_label(layer), np.array(layer.data)
        edit = edit_for(
            layer, self._outline if current is not None else None, outline, self._label, self._under
        )
        self._outline, self._hints = outline, (inside, outside)
        if len(edit):
            layer.data_setitem(edit.index, edit.values)
            layer.selected_label = self._label
        self.words.say(f"{_size_words(outline, layer)}; click to add, right click to take away.")

    def _continued(self, layer: Labels, gesture: Gesture) -> tuple[list, list]:
        """All clicks on the tumour that this one belongs to: another one begins away from the outline."""
        inside, outside = self._hints
        point = gesture.points[0]
        if gesture.remove:
            return list(inside), [*outside, point]
        near = self._outline is not None and _near(self._outline, point, layer)
        return ([*inside, point], list(outside)) if near else ([point], [])

    def _on_toggled(self, on: bool) -> None:
        if not on:
            self._outline, self._hints = None, ([], [])
            if self.tool.active:
                self.tool.stop()
            self.words.say("")
            return
        scan = self._session.scan
        if scan is None:
            self.click.setChecked(False)
            return
        if self._clicks is not None and self._of is scan:
            self._begin()
            return
        self.words.say("Loading the model …")
        view = LayerView.of(scan)

        def load(_: Control) -> TumourClicks:
            from napari_spineseg.segment import loaded_model
            from napari_spineseg.tumours.click import TumourClicks

            return TumourClicks(scan_from(view), loaded_model(get_model(MODEL)))

        job = self._job = Job(load, owner=self)
        job.returned.connect(lambda clicks: self._on_loaded(clicks, scan))
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _on_loaded(self, clicks: TumourClicks, scan: Image) -> None:
        self._clicks, self._of = clicks, scan

    def _on_failed(self, error: Exception) -> None:
        self.click.setChecked(False)
        self.words.say(report(error) if isinstance(error, SpineSegError) else str(error))
        if not isinstance(error, SpineSegError):
            raise error

    def _on_ended(self) -> None:
        self._job = None
        if self.click.isChecked() and self._clicks is not None:
            self._begin()

    def _begin(self) -> None:
        """Clicks go to the segmentation of the scan; without one, to a new empty one."""
        layer = self._session.segmentation
        if layer is None:
            layer = _empty_segmentation(self._session)
        self._session.viewer.layers.selection.active = layer
        self.tool.start(MODEL, layer)
        self.words.say("Click on a tumour, or drag a box around it.")

    def _go(self, item: QListWidgetItem) -> None:
        finding, layer = item.data(256), self._session.segmentation
        if layer is None or layer not in layers_of(self._session.viewer):
            return
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


def findings_of(layer: Labels | None) -> list[dict[str, Any]] | None:
    """What a model found, from the provenance of a segmentation; None where none looked for tumours."""
    if layer is None:
        return None
    return (about(layer).get("provenance") or {}).get("tumours")


def words_of(finding: dict[str, Any]) -> str:
    """One line of the list.

    >>> words_of({"where": "L3 body", "mm": 18.2, "ml": 3.14, "confidence": 0.91})
    'L3 body · 18 mm · 3.1 ml · 91 % sure'
    """
    return (
        f"{finding['where']} · {finding['mm']:.0f} mm · {finding['ml']:.1f} ml · "
        f"{100 * finding['confidence']:.0f} % sure"
    )


def edit_for(layer: Labels, before: Outline | None, after: Outline, label: int, under: np.ndarray) -> Edit:
    """From one outline of a tumour to the next, as one step: what it no longer covers is as it was.

    `under` are the labels before the tumour's first click.
    """
    spans = [after.box, *([before.box] if before is not None else [])]
    box = tuple(slice(min(b[n].start for b in spans), max(b[n].stop for b in spans)) for n in range(3))
    was = np.asarray(layer.data[box])
    now = was.copy()
    now[was == label] = under[box][was == label]
    inner = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(after.box, box, strict=True))
    now[inner][after.mask] = label
    return edit_to(was, now, box, "Outlined a tumour")


def _free_label(layer: Labels) -> int:
    used = set(np.unique(np.asarray(layer.data)))
    return next((n for n in range(FIRST_TUMOUR_LABEL, _LAST_LABEL) if n not in used), _LAST_LABEL)


def _near(outline: Outline, point: tuple[float, ...], layer: Labels, mm: float = 8.0) -> bool:
    """Whether a point is on an outline, or within some mm of it."""
    places = np.argwhere(outline.mask) + [s.start for s in outline.box]
    if not len(places):
        return False
    return float(np.linalg.norm((places - point) * layer.scale[-3:], axis=1).min()) <= mm


def _size_words(outline: Outline, layer: Labels) -> str:
    ml = float(outline.mask.sum()) * float(np.prod(layer.scale[-3:])) / 1000
    return f"{ml:.1f} ml"


def _empty_segmentation(session: Session) -> Labels:
    """A labels layer over the scan with nothing in it yet, in the colours of the scheme."""
    from napari_spineseg.io.layers import layer_tuple_for_segmentation
    from napari_spineseg.scan import Segmentation

    scan_layer = session.scan
    scan = scan_from(LayerView.of(scan_layer))
    empty = Segmentation(np.zeros(scan.voxels.shape, np.uint16), scan.affine, name=f"{scan.name}_seg")
    data, options, _ = layer_tuple_for_segmentation(empty)
    layer = Labels(data, **{**options, **placement_of(scan_layer)}, opacity=0.45)
    session.link(layer, scan_layer)
    session.viewer.add_layer(layer)
    session.segmentation = layer
    return layer


def _button(text: str, name: str, hint: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tooltip(hint))
    return button
