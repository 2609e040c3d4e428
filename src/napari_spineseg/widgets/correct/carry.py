"""Carry over, in the window: knows which slices a person corrected, and does the rest beside it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal

from napari_spineseg.corrections.carry import carry_over
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.corrections.handmade import Handmade, state_of
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import sagittal_index
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.progress import Control

Drawn = Literal["here", "through", "anew", "carried"]
"""By hand or a tool on the slice that is shown; by a tool on all slices; so that all slices begin anew
(another numbering, other labels); by carrying over."""


class CarryOver(QObject):
    """The slice that is shown while somebody draws counts as corrected; what a tool does elsewhere does not.

    Parameters
    ----------
    apply
        Makes an edit one step.
    """

    told = Signal(str)
    """What is being done, or why nothing is."""
    started = Signal(object)
    """The `Job` that works it out."""

    def __init__(self, session: Session, apply: Callable[[Edit], object], parent: QObject) -> None:
        super().__init__(parent)
        self._session, self._apply = session, apply
        self._layer: Labels | None = None
        self._how: Drawn = "here"
        self._corrected: list[int] = []
        self._strokes = 0
        self._job: Job | None = None
        self._known: weakref.WeakKeyDictionary[Labels, Handmade] = weakref.WeakKeyDictionary()

    @property
    def busy(self) -> bool:
        """Whether it is working out what to carry where."""
        return self._job is not None

    @property
    def corrected(self) -> list[int]:
        """The slices that were corrected by hand."""
        return self._known[self._layer].corrected(self._layer.data) if self._layer is not None else []

    def show_layer(self, layer: Labels | None) -> None:
        """Watch `layer` from now on. What was seen of others stays known."""
        if self._job is not None:
            self._job.stop()
        if self._layer is not None:
            self._layer.events.paint.disconnect(self._on_paint)
            self._layer.events.data.disconnect(self._on_replaced)
        self._layer = layer
        if layer is None:
            return
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_replaced)
        if layer not in self._known or self._known[layer].shape != layer.data.shape:
            self._known[layer] = Handmade(layer.data)

    @contextmanager
    def drawing(self, how: Drawn) -> Iterator[None]:
        """What is drawn meanwhile is no stroke on the slice that is shown."""
        before, corrected = self._how, self._corrected
        self._how, self._corrected = how, self.corrected if how == "through" else []
        try:
            yield
        finally:
            self._how, self._corrected = before, corrected

    def run(self) -> None:
        """Carry the corrected slices over to the others: beside the window, then as one step.

        Called again meanwhile, it stops, and nothing is changed.
        """
        layer = self._layer
        if layer is None:
            return
        if self._job is not None:
            if self._job.stopping:
                self.told.emit("Still stopping; press it again in a moment.")
            self._job.stop()
            return
        handmade, scan = self._known[layer], self._session.scan_of(layer)
        # Not a copy, which would be another volume in memory: if it is drawn on meanwhile, nothing is done.
        labels, corrected, image = layer.data, self.corrected, _image(scan, layer)
        base, state = handmade.before(), (self._strokes, state_of(layer.data))
        spacing, scheme = tuple(float(v) for v in layer.scale), scheme_of(layer)[0]

        def work(control: Control) -> Edit:
            return carry_over(labels, base, corrected, spacing, image, control, scheme)

        job = self._job = Job(work, "Carrying over", owner=self.parent())
        job.returned.connect(lambda edit: self._on_returned(edit, layer, state))
        job.failed.connect(report)
        job.stopped.connect(lambda: self.told.emit("Stopped. Nothing was changed."))
        job.ended.connect(self._on_ended)
        self.told.emit("Carrying over; the same again stops it.")
        self.started.emit(job)
        job.start()

    def _on_returned(self, edit: Edit, layer: Labels, state: tuple[int, list[bytes]]) -> None:
        if layer is not self._layer:
            return
        if state != (self._strokes, state_of(layer.data)):
            self.told.emit("You drew meanwhile; press Carry over again.")
            return
        with self.drawing("carried"):
            self._apply(edit)

    def _on_ended(self) -> None:
        self._job = None

    def _on_paint(self, event: object) -> None:
        self._strokes += 1
        handmade, labels = self._known[self._layer], self._layer.data
        if not event.value:  # undone or redone
            handmade.came_back(labels)
            return
        changed = {n for atom in event.value if isinstance(atom, tuple) for n in _slices(atom[0][0])}
        if self._how == "carried":
            handmade.note_carried(labels, changed)
        else:
            shown = {sagittal_index(self._session.viewer, self._layer)}
            kept = {"here": shown, "through": set(self._corrected), "anew": set()}[self._how]
            handmade.note(labels, changed - kept)
            handmade.drew(labels, changed & kept)

    def _on_replaced(self, event: object = None) -> None:
        """Other voxels altogether."""
        self._known[self._layer] = Handmade(self._layer.data)


def _slices(along: slice | np.ndarray) -> list[int]:
    """Slices that a step of napari's history touched: a brush names voxels, a bucket or polygon a box."""
    if isinstance(along, slice):
        return list(range(along.start or 0, along.stop))
    return [int(n) for n in np.unique(along)]


def _image(scan: Image | None, layer: Labels) -> np.ndarray | None:
    return np.asarray(scan.data) if scan is not None and scan.data.shape == layer.data.shape else None
