"""What was done to a scan, and the ways back: undo a step, bring labels to the scan it was made from."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import layer_tuple_for_segmentation, scan_from_layer, segmentation_from_layer
from napari_spineseg.preprocessing import bring_back, make_step, step_spoken, undo
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.parts import Words, tooltip
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.style import give_role
from napari_spineseg.widgets.view import placement_of
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan, Segmentation

_NO_ORIGIN = "The scan that this one was made from is not open in this window."


class HistoryPanel(QWidget):
    """The steps that led to the chosen scan, with *Undo last step* and *Bring labels back*."""

    undone = Signal(object, object)
    """(scan without its last step, layer of the scan it was made from)"""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self._origin: weakref.WeakKeyDictionary[Image, weakref.ref[Image]] = weakref.WeakKeyDictionary()
        self.heading = Words("")
        self.steps = Words("", "muted")
        self.undo_button = QPushButton("Undo last step")
        self.undo_button.setObjectName("undo_step")
        self.back_button = QPushButton("Bring labels back")
        self.back_button.setObjectName("bring_back")
        give_role(self, "plain")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for part in (self.heading, self.steps, self.undo_button, self.back_button):
            layout.addWidget(part)
        self.undo_button.clicked.connect(self._undo)
        self.back_button.clicked.connect(self._bring_back)
        for signal in (session.scan_changed, session.segmentation_changed, session.layers_changed):
            while_alive(self, signal, self.refresh)
        self.refresh()

    def remember(self, result: Image, scan: Image) -> None:
        """`result` was made from `scan`."""
        self._origin[result] = weakref.ref(scan)
        self.refresh()

    def origin(self, layer: Image | None) -> Image | None:
        """The layer that `layer` was made from, if it is still open."""
        reference = self._origin.get(layer) if layer is not None else None
        scan = reference() if reference is not None else None
        return scan if scan in layers_of(self._session.viewer) else None

    def refresh(self, *_: object) -> None:
        """Show what was done to the chosen scan."""
        layer = self._session.scan
        history = about(layer).get("history", ()) if layer is not None else ()
        self.setVisible(bool(history))
        if not history:
            return
        origin = self.origin(layer)
        self.heading.say(f"Made from {origin.name}" if origin is not None else "Done to this scan")
        words = [step_spoken(make_step(entry["step"], entry["settings"])) for entry in history]
        self.steps.say("\n".join(f"{number}  {one}" for number, one in enumerate(words, start=1)))
        labels = self._session.segmentation
        ready = labels is not None and self._session.scan_of(labels) is layer
        self.undo_button.setEnabled(origin is not None)
        self.undo_button.setToolTip(tooltip("" if origin is not None else _NO_ORIGIN))
        self.back_button.setVisible(ready)
        self.back_button.setEnabled(ready and origin is not None)
        self.back_button.setToolTip(
            tooltip(
                f"Put {labels.name} on the grid of {origin.name}, as a new layer"
                if ready and origin is not None
                else _NO_ORIGIN
            )
        )

    def _undo(self) -> None:
        layer = self._session.scan
        origin = self.origin(layer)
        if origin is None or (self._job is not None and self._job.running):
            return
        scan, original = scan_from_layer(layer), scan_from_layer(origin)
        self._start(
            lambda control: undo(scan, original, control=control),
            f"Undoing on {layer.name}",
            lambda result: self._on_undone(result, layer, origin),
        )

    def _on_undone(self, result: Scan, layer: Image, origin: Image) -> None:
        layer.visible = False
        self.undone.emit(result, origin)

    def _bring_back(self) -> None:
        labels, layer = self._session.segmentation, self._session.scan
        origin = self.origin(layer)
        if labels is None or origin is None or (self._job is not None and self._job.running):
            return
        try:
            segmentation = segmentation_from_layer(labels, scan_from_layer(layer))
        except SpineSegError as error:
            report(error)
            return
        history = about(layer)["history"][len(about(origin).get("history", ())) :]
        self._start(
            lambda control: bring_back(segmentation, history, control),
            f"Bringing {labels.name} back",
            lambda result: self._on_back(result, labels, origin),
        )

    def _on_back(self, result: Segmentation, labels: Labels, origin: Image) -> None:
        data, options, _ = layer_tuple_for_segmentation(result)
        options |= placement_of(origin) | {"name": f"{origin.name}_seg", "opacity": labels.opacity}
        layer = Labels(data, **options)
        viewer = self._session.viewer
        labels.visible = False
        self._session.link(layer, origin)
        viewer.layers.append(layer)
        viewer.layers.selection.active = layer
        self._session.segmentation = layer

    def _start(self, work: object, title: str, then: object) -> None:
        self.undo_button.setEnabled(False)
        self.back_button.setEnabled(False)
        job = self._job = Job(work, title, owner=self)
        job.returned.connect(then)
        job.failed.connect(report)
        job.ended.connect(self.refresh)
        job.start()
