"""Where the model guessed, found out while the person reads the picture.

A default run of *Segment* keeps nothing of how unsure the model was. So the model that the
segmentation says it was made by is asked once more, beside the window; what comes of it is small
and kept for as long as the layer is.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_spineseg.corrections.doubt import Cells
from napari_spineseg.corrections.doubt.ask import ask_model
from napari_spineseg.errors import ModelError, SpineSegError
from napari_spineseg.io.layers import LayerView, scan_from
from napari_spineseg.models import get_model
from napari_spineseg.widgets.correct.fix import model_of
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.parts import tooltip
from napari_spineseg.widgets.session import Session, layers_of
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.models import ModelEntry
    from napari_spineseg.progress import Control, Progress

_RULES_ALONE = "By the rules of anatomy alone:"
_TITLE = "Where the model guessed"


class AskModel(QWidget):
    """Asks the model about a layer while it is shown, with its progress and *Stop*; hidden otherwise."""

    answered = Signal(object)
    """The `Labels` layer that `seen` now knows more about, or why it does not."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._job: Job | None = None
        self._layer: Labels | None = None
        self._told: weakref.WeakKeyDictionary[Labels, Cells] = weakref.WeakKeyDictionary()
        # Why nobody needs to be asked again, by layer.
        self._why_not: weakref.WeakKeyDictionary[Labels, str] = weakref.WeakKeyDictionary()
        self.bar = QProgressBar()
        self.bar.setAccessibleName(_TITLE)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setObjectName("stop_asking")
        self.stop_button.setToolTip(tooltip("Go on with the rules of anatomy alone"))
        self.stop_button.clicked.connect(self._on_stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.stop_button)
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether the model is being asked."""
        return self._job is not None

    def seen(self, layer: Labels) -> np.ndarray | Cells | None:
        """How unsure the model was about `layer`, as `find_doubts` takes it; None where it is not known."""
        shown = uncertainty_of(self._session, layer)
        return np.asarray(shown.data) if shown is not None else self._told.get(layer)

    def why_not(self, layer: Labels) -> str:
        """Why nothing is known of it, for the person; empty while it is known, or being found out."""
        if self.seen(layer) is not None or (self.busy and layer is self._layer):
            return ""
        if self._session.scan_of(layer) is None:
            return f"{_RULES_ALONE} the scan of this segmentation is not open."
        return self._why_not.get(layer, "")

    def ask(self, layer: Labels, again: bool = False) -> None:
        """Find out about `layer`, unless that is known, or was in vain and nobody asks `again`."""
        if self.busy and layer is self._layer:
            return
        self.stop()
        scan = self._session.scan_of(layer)
        if scan is None or self.seen(layer) is not None or (layer in self._why_not and not again):
            return
        self._why_not.pop(layer, None)
        try:
            self._start(layer, LayerView.of(scan), _model_of(layer))
        except ModelError as error:
            self._why_not[layer] = f"{_RULES_ALONE} {error}"

    def stop(self) -> None:
        """Ask no further."""
        if self._job is not None:
            self._job.stop()
            self.stop_button.setEnabled(False)

    def _start(self, layer: Labels, view: LayerView, model: ModelEntry) -> None:
        def work(control: Control) -> Cells:
            from napari_spineseg.models.loaded import loaded_model

            return ask_model(scan_from(view), loaded_model(model), control)

        job = self._job = Job(work, _TITLE, owner=self)
        self._layer = layer
        job.progressed.connect(lambda progress: self._on_progress(job, progress))
        job.returned.connect(lambda cells: self._told.__setitem__(layer, cells))
        job.failed.connect(lambda error: self._on_failed(layer, error))
        job.ended.connect(lambda: self._on_ended(job, layer))
        self.bar.setRange(0, 0)
        self.stop_button.setEnabled(True)
        self.show()
        job.start()

    def _on_stop(self) -> None:
        if self._layer is not None:
            self._why_not[self._layer] = f"{_RULES_ALONE} asking the model was stopped."
        self.stop()

    def _on_progress(self, job: Job, progress: Progress) -> None:
        if job is not self._job:
            return
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self.bar.setFormat(f"Asking the model: {progress.done} of {progress.total}")

    def _on_failed(self, layer: Labels, error: Exception) -> None:
        words = str(error) if isinstance(error, SpineSegError) else report(error)
        self._why_not[layer] = f"{_RULES_ALONE} {words}"

    def _on_ended(self, job: Job, layer: Labels) -> None:
        if job is self._job:  # another layer may be asked about by now
            self._job = self._layer = None
            self.hide()
        self.answered.emit(layer)


def _model_of(layer: Labels) -> ModelEntry:
    """The model that the segmentation says it was made by. Raises `ModelError` if nobody can be asked."""
    name = model_of(layer)
    if not name:
        raise ModelError("which model made this segmentation is not known.")
    return get_model(name)


def uncertainty_of(session: Session, layer: Labels) -> Image | None:
    """The layer that shows how unsure the model was about `layer`."""
    for other in reversed(layers_of(session.viewer)):
        if isinstance(other, Image) and about(other).get("kind") == "uncertainty":
            same = about(other).get("provenance") == about(layer).get("provenance")
            if other.data.shape == layer.data.shape and same:
                return other
    return None
