"""*Click a tumour*, in the window: a click or a box outlines one, more clicks refine it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QObject, Signal

from napari_spineseg.anatomy import FIRST_TUMOUR_LABEL, Structure
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io.layers import LayerView, scan_from
from napari_spineseg.models import get_model
from napari_spineseg.progress import Control
from napari_spineseg.widgets.correct.clicks import ClickTool, Gesture
from napari_spineseg.widgets.correct.history import History, history_of
from napari_spineseg.widgets.legend import labels_in, scheme_of
from napari_spineseg.widgets.lifetime import at_end_of
from napari_spineseg.widgets.picker import uncover
from napari_spineseg.widgets.segment.result_layers import empty_layer
from napari_spineseg.widgets.segment.tumour_labels import edit_for, is_near, label_at, next_to, region_of
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.tumours.click import TumourClicks
    from napari_spineseg.tumours.outline import Outline

MODEL = "tumour"
_LAST_LABEL = FIRST_TUMOUR_LABEL + 98
_ASK = "Click on a tumour, or drag a box around it."


class ClickTumour(QObject):
    """Turns clicks on the segmentation into outlines, each click one step to undo."""

    said = Signal(str)
    ended = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._clicks: TumourClicks | None = None
        self._of: tuple[Image, Any] | None = None
        self._job: Job | None = None
        self._wanted = False
        self._history: History | None = None
        self.tool = ClickTool(self)
        self._forget()
        self.tool.made.connect(lambda _, gesture: self.take(gesture))
        self.tool.ended.connect(self.stop)
        at_end_of(self, self._unfollow)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded and clicks are answered."""
        return self._clicks is not None and self._job is None

    def start(self) -> None:
        """Ready the model for the chosen scan, then listen."""
        self._wanted = True
        if self._job is not None:
            return  # it goes on from there
        scan = self._session.scan
        if scan is None:
            self._end()
        elif self._of is not None and self._of[0] is scan and self._of[1] is scan.data:
            self._begin()
        else:
            self._load(scan)

    def stop(self) -> None:
        """Give the mouse back. What is outlined stays."""
        if self._wanted:
            self._wanted = False
            self._end()

    def take(self, gesture: Gesture) -> None:
        """Answer a click or a box on the segmentation."""
        layer = self._session.segmentation
        if layer is None or self._clicks is None or not self._belongs(layer):
            return
        from napari_spineseg.corrections.click import Hints

        self._look_at(layer)
        within = None
        if not gesture.is_click and not gesture.remove:
            within = gesture.points[0], gesture.points[-1]
            self._forget()
        elif not self._go_on(layer, gesture):
            return
        inside, outside = self._hints
        current = self._outline
        outline = self._clicks.outline(Hints(tuple(inside), tuple(outside)), within, current)
        if not outline and current is None:
            self._hints = ([], [])
            self.said.emit("Nothing stands out there; drag a box around it.")
            return
        if current is None:
            self._number(layer, outline)
        edit = edit_for(layer, current or self._before, outline, self._label, self._under)
        self._outline, self._before = outline, None
        history_of(self._session, layer).apply(edit)
        layer.selected_label = self._label
        self._say_size(layer)

    def _go_on(self, layer: Labels, gesture: Gesture) -> bool:
        """Which tumour a click means: the one it is on, the one outlined last if it is near, else another."""
        point = gesture.points[0]
        under = label_at(layer, point)
        if FIRST_TUMOUR_LABEL <= under <= _LAST_LABEL and under != self._label:
            self._adopt(layer, under)
            if not gesture.remove:
                layer.selected_label = under
                self._say_size(layer)
                return False
        inside, outside = self._hints
        if gesture.remove:
            if self._outline is None:
                self.said.emit("Click on the tumour first; a right click takes away from it.")
                return False
            self._hints = (inside, [*outside, point])
        elif self._outline is not None and is_near(self._outline, point, layer):
            self._hints = ([*inside, point], outside)
        else:
            self._forget()
            self._hints = ([point], [])
        return True

    def _look_at(self, layer: Labels) -> None:
        """The outline may have been undone or drawn on since: what is in the labels counts."""
        if self._outline is None:
            return
        there = np.asarray(layer.data[self._outline.box]) == self._label
        if np.array_equal(there, self._outline.mask):
            return
        if scheme_of(layer)[0] == "levels" and self._label in labels_in(layer):
            self._adopt(layer, self._label)
        else:
            self._forget()

    def _adopt(self, layer: Labels, label: int) -> None:
        """Go on with a tumour that is labelled already; what it covers is what lies next to it."""
        from napari_spineseg.tumours.outline import Outline

        box, mask = region_of(layer, label)
        self._label, self._hints = label, ([], [])
        self._outline, self._under = Outline(box, mask, False), np.array(layer.data)
        self._under[box][mask] = next_to(layer, box, mask)

    def _number(self, layer: Labels, outline: Outline) -> None:
        """The number of a new outline: that of the tumour it lies on for the most part, else a free one."""
        if scheme_of(layer)[0] == "structures":
            self._label, self._under = int(Structure.TUMOUR), np.array(layer.data)
            return
        below = np.asarray(layer.data[outline.box])[outline.mask]
        counts = np.bincount(below)
        same = (
            int(counts[FIRST_TUMOUR_LABEL:].argmax()) + FIRST_TUMOUR_LABEL
            if len(counts) > FIRST_TUMOUR_LABEL
            else 0
        )
        if same and counts[same] > 0.5 * len(below):
            hints = self._hints
            self._adopt(layer, same)
            self._before, self._hints = self._outline, hints
            return
        used = set(labels_in(layer))
        numbers = range(FIRST_TUMOUR_LABEL, _LAST_LABEL)
        self._label = next((n for n in numbers if n not in used), _LAST_LABEL)
        self._under = np.array(layer.data)

    def _belongs(self, layer: Labels) -> bool:
        """Whether the clicks were readied for the scan of `layer`: another one may have been chosen since."""
        return (
            self._of is not None
            and self._session.scan_of(layer) is self._of[0]
            and layer.data.shape == self._of[0].data.shape
        )

    def _load(self, scan: Image) -> None:
        self.said.emit("Loading the model …")
        view, data = LayerView.of(scan), scan.data

        def load(_: Control) -> TumourClicks:
            # The list of tumours is imported here too: it would hold the window up at the first click.
            import napari_spineseg.tumours.listing  # noqa: F401
            from napari_spineseg.models.loaded import loaded_model
            from napari_spineseg.tumours.click import TumourClicks

            return TumourClicks(scan_from(view), loaded_model(get_model(MODEL)))

        job = self._job = Job(load, owner=self)
        job.returned.connect(lambda clicks: self._on_loaded(clicks, (scan, data)))
        job.failed.connect(self._on_failed)
        job.ended.connect(self._on_ended)
        job.start()

    def _on_loaded(self, clicks: TumourClicks, of: tuple[Image, Any]) -> None:
        self._clicks, self._of = clicks, of

    def _on_failed(self, error: Exception) -> None:
        self.stop()
        self.said.emit(report(error) if isinstance(error, SpineSegError) else str(error))
        if not isinstance(error, SpineSegError):
            raise error

    def _on_ended(self) -> None:
        self._job = None
        if self._wanted:
            self.start()  # for the scan that is chosen by now

    def _begin(self) -> None:
        """Clicks go to the segmentation of the scan; without one, to a new empty one."""
        layer = self._session.segmentation
        if layer is None:
            layer = empty_layer(self._session)
        if not self._belongs(layer):
            self.stop()
            self.said.emit("These labels do not lie on the scan's grid, so no tumour can be clicked.")
            return
        self._session.viewer.layers.selection.active = layer
        uncover(self._session, layer)
        self.tool.start(MODEL, layer)
        self._follow(history_of(self._session, layer))
        self.said.emit(_ASK)

    def _end(self) -> None:
        self._forget()
        self._follow(None)
        if self.tool.active:
            self.tool.stop()
        self.said.emit("")
        self.ended.emit()

    def _follow(self, history: History | None) -> None:
        """Say what is undone while clicks are answered: of that outline a size was said."""
        if self._history is not None:
            self._history.told.disconnect(self._on_told)
        self._history = history
        if history is not None:
            history.told.connect(self._on_told)

    def _unfollow(self) -> None:
        self._follow(None)

    def _on_told(self, words: str) -> None:
        self.said.emit(words)

    def _forget(self) -> None:
        """The next click begins another tumour."""
        self._outline: Outline | None = None
        self._before: Outline | None = None
        self._label = 0
        self._under = np.zeros((0, 0, 0), np.uint16)
        self._hints: tuple[list, list] = ([], [])

    def _say_size(self, layer: Labels) -> None:
        ml = float(self._outline.mask.sum()) * float(np.prod(layer.scale[-3:])) / 1000
        self.said.emit(f"{ml:.1f} ml; click to add, right click to take away.")
