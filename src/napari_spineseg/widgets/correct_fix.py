"""Click to fix, in the window: collects clicks, and lets the model that segmented the scan help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject

from napari_spineseg.corrections.click import Hints, box_around, fix_by_click
from napari_spineseg.corrections.edit import Edit
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import LayerView, scan_from
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control
from napari_spineseg.widgets.session import Session, about
from napari_spineseg.widgets.worker import Job

if TYPE_CHECKING:
    from napari_spineseg.corrections.features import LocalFeatures
    from napari_spineseg.widgets.correct_clicks import Gesture
    from napari_spineseg.widgets.correct_tools import Place

# A scribble is a line of clicks; more than these say nothing new.
_MOST_POINTS = 25


class ClickToFix(QObject):
    """Turns gestures into edits. Until the model is loaded, and without one, the image alone decides."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        self._features: LocalFeatures | None = None
        self._of: tuple[object, str] | None = None

    @property
    def ready(self) -> bool:
        """Whether the model helps."""
        return self._features is not None

    def start(self, layer: Labels) -> None:
        """Get ready to fix `layer`: its model is loaded beside the window."""
        self._layer = layer
        scan = self._session.scan_of(layer)
        name = _model_of(layer)
        if scan is None or self._of == (scan, name):
            return
        self._features, self._of = None, (scan, name)
        view, key = LayerView.of(scan), self._of

        def load(_: Control) -> LocalFeatures:
            from napari_spineseg.corrections.features import LocalFeatures
            from napari_spineseg.segment import loaded_model

            return LocalFeatures(scan_from(view), loaded_model(get_model(name or None)))

        job = Job(load, owner=self)
        job.returned.connect(lambda features: self._on_loaded(features, key))
        job.failed.connect(self._on_failed)
        job.start()

    def stop(self) -> None:
        """No clicks any more. What was loaded stays, for the next time."""
        self._layer = None

    def edit(self, at: Place, label: int, gesture: Gesture) -> Edit:
        """What a gesture changes."""
        chosen = np.linspace(0, len(gesture.points) - 1, min(len(gesture.points), _MOST_POINTS))
        points = tuple(gesture.points[round(n)] for n in chosen)
        hints = Hints(outside=points) if gesture.remove else Hints(inside=points)
        features = None
        if self._features is not None:
            features = self._features(box_around(hints, at.labels.shape, at.spacing, at.axis))
        return fix_by_click(at.labels, at.image, label, hints, at.spacing, features, at.axis, at.rule)

    def _on_loaded(self, features: LocalFeatures, key: tuple[object, str]) -> None:
        if key == self._of:
            self._features = features

    def _on_failed(self, error: Exception) -> None:
        # Without a model the clicks work all the same, by the image; a bug must not hide behind that.
        if not isinstance(error, SpineSegError):
            raise error


def _model_of(layer: Labels) -> str:
    """The model that made the segmentation, as `get_model` takes it; empty if it is not known."""
    model = (about(layer).get("provenance") or {}).get("model") or {}
    if not model.get("name"):
        return ""
    return f"{model['name']}@{model['version']}" if model.get("version") else str(model["name"])
