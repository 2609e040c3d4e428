"""Click to fix, in the window: the model that segmented the scan looks ahead, gestures become edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, QTimer

from napari_spineseg.anatomy import Structure, structure_of
from napari_spineseg.corrections.click import Hints, box_around, fix_by_click
from napari_spineseg.corrections.edit import Edit, used_box
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import LayerView, scan_from
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control
from napari_spineseg.widgets.known import about
from napari_spineseg.widgets.legend import scheme_of
from napari_spineseg.widgets.lifetime import while_alive
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.view import sagittal_index
from napari_spineseg.widgets.worker import Job

if TYPE_CHECKING:
    from napari_spineseg.corrections.features import LocalFeatures
    from napari_spineseg.widgets.correct.clicks import Gesture
    from napari_spineseg.widgets.correct.tools import Place

# A scribble is a line of clicks; more than these say nothing new.
_MOST_POINTS = 25
# The slider rests this long before the slice it stands on is looked at.
_SETTLE_MS = 120


class ClickToFix(QObject):
    """Turns gestures into edits. Where the model has not looked yet, clicks reach less far.

    It looks at the slice that is shown and at those around it, one at a time beside the window: no click
    ever waits for it.
    """

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._layer: Labels | None = None
        self._features: LocalFeatures | None = None
        self._of: tuple[object, ...] | None = None
        self._job: Job | None = None
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._look_on)
        while_alive(self, session.viewer.dims.events.current_step, self._on_moved)

    @property
    def ready(self) -> bool:
        """Whether the model has looked at all that clicks on the shown slice need."""
        index = self._index()
        return self._features is not None and index is not None and not self._features.wanted(index)

    def start(self, layer: Labels) -> None:
        """Get ready to fix `layer`: its model is loaded, and looks at slices, beside the window."""
        self._layer = layer
        scan = self._session.scan_of(layer)
        if scan is None:
            self._features = self._of = None
            return
        key = (scan, model_of(layer))
        if self._of == key:
            self._settle.start()
            return
        self._features, self._of = None, key
        view, labels, name = LayerView.of(scan), layer.data, key[1]

        def load(_: Control) -> LocalFeatures:
            from napari_spineseg.corrections.features import LocalFeatures
            from napari_spineseg.models.loaded import loaded_model

            used = used_box(labels)
            where = used[1:] if used is not None else (None, None)
            return LocalFeatures(scan_from(view), loaded_model(get_model(name or None)), *where)

        job = Job(load, owner=self)
        job.returned.connect(lambda features: self._on_loaded(features, key))
        job.failed.connect(_on_failed)
        job.start()

    def stop(self) -> None:
        """Look no further. What was seen stays, for the next time."""
        self._layer = None
        self._settle.stop()

    def edit(self, at: Place, label: int, gesture: Gesture) -> Edit:
        """What a gesture changes."""
        chosen = np.linspace(0, len(gesture.points) - 1, min(len(gesture.points), _MOST_POINTS))
        points = tuple(gesture.points[round(n)] for n in chosen)
        hints = Hints(outside=points) if gesture.remove else Hints(inside=points)
        odds = None
        if self._features is not None and (structure := self._structure(label)) is not None:
            odds = self._features.odds(box_around(hints, at.labels.shape, at.spacing, at.axis), structure)
        return fix_by_click(at.labels, at.image, label, hints, at.spacing, odds, at.axis, at.rule)

    def _structure(self, label: int) -> Structure | None:
        if self._layer is None:
            return None
        if scheme_of(self._layer)[0] == "levels":
            return structure_of(label)
        return Structure(label) if label in {int(s) for s in Structure} else None

    def _index(self) -> int | None:
        """The sagittal slice that is shown."""
        return sagittal_index(self._session.viewer, self._layer) if self._layer is not None else None

    def _look_on(self) -> None:
        """Look at the next slice that clicks may need."""
        index, features = self._index(), self._features
        if index is None or features is None or self._job is not None:
            return
        if wanted := features.wanted(index):
            self._job = Job(lambda _: features.look(wanted[0]), owner=self)
            self._job.failed.connect(_on_failed)
            self._job.ended.connect(self._on_looked)
            self._job.start()

    def _on_looked(self) -> None:
        self._job = None
        self._look_on()

    def _on_moved(self, event: object = None) -> None:
        if self._layer is not None:
            self._settle.start()

    def _on_loaded(self, features: LocalFeatures, key: tuple[object, ...]) -> None:
        if key == self._of:
            self._features = features
            self._look_on()


def _on_failed(error: Exception) -> None:
    # Without a model the clicks work all the same, less far; a bug must not hide behind that.
    if not isinstance(error, SpineSegError):
        raise error


def in_words(edit: Edit, label: int, name: str, at: Place) -> str:
    """What a click did: by how much, and on how many slices; it may be little, or out of sight."""
    more = 2 * int((edit.values == label).sum()) - len(edit)
    ml = abs(more) * float(np.prod(at.spacing)) / 1000
    slices = len(np.unique(edit.index[at.axis]))
    return (
        f"{name[:1].upper() + name[1:]}: {max(ml, 0.01):.2f} ml {'more' if more >= 0 else 'less'} "
        f"on {slices} slice{'s' if slices > 1 else ''}."
    )


def model_of(layer: Labels) -> str:
    """The model that made the segmentation, as `get_model` takes it; empty if it is not known."""
    model = (about(layer).get("provenance") or {}).get("model") or {}
    if not model.get("name"):
        return ""
    return f"{model['name']}@{model['version']}" if model.get("version") else str(model["name"])
