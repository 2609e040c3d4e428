"""One press of *Apply*: a recipe on one scan or on many, beside the window."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QObject

from napari_spineseg.errors import SpineSegError, Stopped
from napari_spineseg.io.layers import scan_from_layer
from napari_spineseg.preprocess import preprocess
from napari_spineseg.preprocessing import Pipeline
from napari_spineseg.progress import Control, Progress
from napari_spineseg.widgets.card import Card
from napari_spineseg.widgets.prepare.layers import opener
from napari_spineseg.widgets.session import Session
from napari_spineseg.widgets.worker import Job, report

if TYPE_CHECKING:
    from napari_spineseg.scan import Scan


@dataclass(frozen=True, eq=False)
class Made:
    """What became of one scan."""

    layer: Image
    scan: Scan
    result: Scan


class ApplyRun(QObject):
    """Every scan is done, whatever becomes of the others; what is done when a person stops is kept.

    Attributes
    ----------
    layers
        What it was asked to work on.

    Raises
    ------
    ScanError
        If a layer cannot be taken as a scan.
    """

    def __init__(self, session: Session, layers: Sequence[Image], recipe: Pipeline, owner: QObject) -> None:
        super().__init__(owner)
        self.layers = tuple(layers)
        self._scans = [(layer, scan_from_layer(layer)) for layer in layers]
        self._recipe = recipe
        self._open = opener(session, recipe)
        self._started = time.perf_counter()
        self._failed: Exception | None = None
        self.made: list[Made] = []
        self.refused: list[str] = []
        what = layers[0].name if len(layers) == 1 else f"{len(layers)} scans"
        self.job = Job(self._work, f"Preprocessing {what}", owner=owner)
        self.job.failed.connect(self._on_failed)

    def tell(self, card: Card) -> None:
        """Say what came of it."""
        wanted, done = len(self._scans), len(self.made)
        if self._failed is not None:
            card.say_error("Not applied", report(self._failed))
            return
        steps = len(self._recipe.steps)
        count = f"{steps} step{'s' if steps != 1 else ''}"
        where = f" to {done} of {wanted} scans" if wanted > 1 else ""
        if not done and self.refused:
            card.say_error("Not applied", self.refused[0])
            return
        headline = f"{count} applied{where}" if done else "Stopped"
        stopped = self.job.stopping
        remark = (
            "Stopped before the others." if stopped and done else "Nothing was changed." if stopped else ""
        )
        warnings = [
            f"{made.scan.name}: {sentence}" if wanted > 1 else sentence
            for made in self.made
            for sentence in made.result.warnings
            if sentence not in made.scan.warnings
        ]
        seconds = time.perf_counter() - self._started
        made = self.made[-1].result if self.made else None
        footnote = f"{_size(made)} · {seconds:.1f} s" if made is not None else ""
        card.say(headline, remark, [*self.refused, *warnings], footnote)

    def _work(self, control: Control) -> None:
        """In the worker's thread."""
        for number, (layer, scan) in enumerate(self._scans, start=1):
            own = _numbered(control, scan.name, number, len(self._scans))
            try:
                self.made.append(Made(layer, scan, preprocess(scan, self._recipe, own, self._open)))
            except Stopped:
                raise
            except SpineSegError as error:
                self.refused.append(str(error))

    def _on_failed(self, error: Exception) -> None:
        self._failed = error


def _numbered(control: Control, name: str, number: int, scans: int) -> Control:
    """A control that says which scan its stages belong to."""
    if scans == 1:
        return control

    def pass_on(progress: Progress) -> None:
        control.step(f"{name}, {number} of {scans}: {progress.stage}", progress.done, progress.total)

    return Control(pass_on)


def _size(scan: Scan) -> str:
    view = scan.grid.to_orientation().grid
    spacing = " × ".join(f"{mm:.2g}" for mm in view.spacing)
    return f"{' × '.join(map(str, view.shape))} voxels, {spacing} mm"
