"""The recipe's answer for the slice that is shown, drawn over the scan before anything is applied."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, Signal

from napari_spineseg.errors import SettingsError
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.preprocess import tools
from napari_spineseg.preprocessing import Pipeline
from napari_spineseg.preprocessing.one_slice import Draft, done_whole, draft
from napari_spineseg.widgets.known import KEY
from napari_spineseg.widgets.live_preview import LivePreview
from napari_spineseg.widgets.prepare.layers import opener, placed_over
from napari_spineseg.widgets.session import Session, layers_of

if TYPE_CHECKING:
    from napari_spineseg.preprocessing import Step
    from napari_spineseg.progress import Control
    from napari_spineseg.scan import Scan

_CUT_AWAY = "The recipe cuts this slice away."


@dataclass(frozen=True)
class _Seen:
    """One slice that was worked out."""

    scan: Scan | None
    seconds: float


class _Memory:
    """What was worked out for one scan and can serve again: whole results, and measurements."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self._whole: tuple[tuple[Step, ...], Scan] = ((), scan)
        self._draft: tuple[tuple[Step, ...], Draft] | None = None

    def slice_of(
        self, recipe: Pipeline, open_scan: Callable[[str], Scan], index: int, control: Control
    ) -> _Seen:
        """In the worker's thread, one call at a time."""
        at_hand = tools(open_scan)
        whole = done_whole(recipe.steps)
        first, rest = recipe.steps[:whole], recipe.steps[whole:]
        if self._whole[0] != first:
            made = Pipeline(steps=first)(self.scan, at_hand, control)
            self._whole, self._draft = (first, made), None
        started = time.perf_counter()
        if self._draft is None or self._draft[0] != recipe.steps:
            self._draft = (recipe.steps, draft(self._whole[1], rest, at_hand, control))
        view = self.scan.grid.to_orientation().grid
        middle = np.array([index, *((n - 1) / 2 for n in view.shape[1:]), 1.0])
        shown = self._draft[1].slice_at((view.affine @ middle)[:3], control)
        return _Seen(shown, time.perf_counter() - started)


class RecipePreview(LivePreview):
    """Draws the preprocessed slice over the scan, and follows the recipe.

    A swipe shows the scan itself to the left of a line.
    """

    drawn = Signal(float)
    """A slice is shown; how long it took to work out, s (steps on the whole scan not counted)."""

    def __init__(self, session: Session, recipe: Callable[[], Pipeline], parent: QObject) -> None:
        super().__init__(session, parent)
        self._recipe = recipe
        self._memory: _Memory | None = None
        self._whole_slice: np.ndarray | None = None  # (1, height, width), all of it
        self._corner = np.zeros(3)
        self._share = 0.0
        self._drawn: tuple[Pipeline, int] | None = None
        self._doing = Pipeline()
        self._shown_before = True

    def refresh(self, event: object = None) -> None:
        """Look again, soon: the slice or the recipe is another."""
        if self.active and self._job is not None and _first(self._recipe()) != _first(self._doing):
            self._job.stop()  # it works through the whole scan for a recipe that is not wanted any more
        super().refresh(event)

    def swipe(self, share: float) -> None:
        """Show the scan itself in this share of the picture, from the left: 0 to 1."""
        self._share = share
        if self._layer is not None and self._whole_slice is not None:
            self._lay()

    def _begin(self, layer: Image) -> None:
        self._memory = _Memory(scan_from_layer(layer))
        self._shown_before = layer.visible

    def _forget(self) -> None:
        self._scan_layer.visible = self._shown_before
        self._memory = self._drawn = self._whole_slice = None

    def _draw_slice(self, index: int) -> None:
        recipe = self._recipe()
        if (recipe, index) == self._drawn:
            return
        try:
            open_scan = opener(self._session, recipe)
        except SettingsError as error:
            self._on_failed(error)
            return
        slow = done_whole(recipe.steps)
        memory, self._drawn, self._doing = self._memory, None, recipe
        self._work(
            lambda control: memory.slice_of(recipe, open_scan, index, control),
            lambda seen: self._show(memory, recipe, index, seen),
            lambda error: self._on_not_drawn(error, recipe, index),
            f"Working out {type(recipe.steps[slow - 1]).title} …" if slow else "",
        )

    def _show(self, memory: _Memory, recipe: Pipeline, index: int, seen: _Seen) -> None:
        if memory is not self._memory:
            return  # the person has moved on
        self._drawn = (recipe, index)
        if seen.scan is None:
            self._whole_slice = None
            self._hide()
            self.message.emit(_CUT_AWAY)
        else:
            self._whole_slice = np.ascontiguousarray(seen.scan.sagittal())
            self._place(seen.scan, recipe, index)
            self.message.emit("")
        self.drawn.emit(seen.seconds)

    def _place(self, shown: Scan, recipe: Pipeline, index: int) -> None:
        """Put the slice where it belongs, and let grey values look as they will."""
        layer = self._scan_layer
        place = placed_over(layer, self._memory.scan.grid, shown.grid)
        # As thick as the slice it stands for, so that it is seen wherever that one is.
        place["scale"][0] = layer.scale[0]
        place["translate"] = np.array(place["translate"])
        place["translate"][0] = layer.data_to_world((index, 0, 0))[0]
        if self._layer is None:
            above_scan = layers_of(self._session.viewer).index(layer) + 1
            self._add_layer(self._picture(place), above_scan)
        self._layer.scale, self._corner = place["scale"], place["translate"]
        self._lay()
        if all(step.same_units for step in recipe.steps):
            self._layer.contrast_limits = layer.contrast_limits
        else:
            low, high = np.percentile(self._whole_slice, (0.5, 99.7))
            self._layer.contrast_limits = (float(low), float(max(high, low + 1e-6)))

    def _picture(self, place: dict) -> Image:
        return Image(
            self._whole_slice,
            name="preview",
            colormap="gray",
            interpolation2d=self._scan_layer.interpolation2d,
            metadata={KEY: {"kind": "preview"}},
            **place,
        )

    def _lay(self) -> None:
        """Show the part right of the swipe line."""
        columns = self._whole_slice.shape[2]
        first = min(round(self._share * columns), columns - 1)
        self._layer.visible = self._share < 1
        # Below the preview it would fill in what the recipe cuts away.
        self._scan_layer.visible = self._share > 0
        self._layer.data = self._whole_slice[:, :, first:]
        self._layer.translate = np.add(self._corner, (0, 0, first * self._layer.scale[2]))

    def _hide(self) -> None:
        if self._layer is not None:
            self._layer.visible = False
        self._scan_layer.visible = True

    def _on_not_drawn(self, error: Exception, recipe: Pipeline, index: int) -> None:
        """A setting that does not fit the scan may be on its way to one that does."""
        if not isinstance(error, SettingsError):
            self._on_failed(error)
            return
        self._drawn = (recipe, index)
        self._hide()
        self.message.emit(str(error))


def _first(recipe: Pipeline) -> tuple[Step, ...]:
    """The steps that are worked out on the whole scan."""
    return recipe.steps[: done_whole(recipe.steps)]
