"""From a labels layer to figures: what is taken from the window, and what then runs beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels

from napari_spineseg.errors import ScanError
from napari_spineseg.io.layers import LayerView, scan_from, segmentation_from
from napari_spineseg.io.record import CHANGED, is_as_written
from napari_spineseg.measurement import Measurements, MeasureSettings, measure
from napari_spineseg.measurement.given import scan_for
from napari_spineseg.widgets.legend import scheme_of

if TYPE_CHECKING:
    from napari_spineseg.measurement.figures import Point
    from napari_spineseg.progress import Control
    from napari_spineseg.scan import Scan, Segmentation
    from napari_spineseg.widgets.session import Session

NO_LABELS = (
    "There are no labels of this scan yet: segment it on the Segment page, or open a file with its labels."
)
_NO_LEVELS = (
    "These labels tell structures apart, not levels: segment the scan again with Labels set to "
    "“Each level”, then measure that."
)


@dataclass(frozen=True, eq=False)
class Taken:
    """Labels as they were when *Measure* was pressed: painting may go on.

    Attributes
    ----------
    labels
        With voxels of its own.
    scan
        Shares its voxels with the layer; None where no scan that fits is open.
    drawn_on
        Whether somebody has changed the labels in this window.
    """

    labels: LayerView
    scan: LayerView | None
    settings: MeasureSettings
    drawn_on: bool = False


@dataclass(frozen=True, eq=False)
class Result:
    """Figures, and what they are of."""

    measurements: Measurements
    segmentation: Segmentation
    scan: Scan | None
    settings: MeasureSettings

    def index_of(self, points: tuple[Point, ...]) -> np.ndarray:
        """(n, 3) index into the layer's (slices, height, width) of points in RAS mm.

        Layers are shown in the sagittal view of the labels' own grid, so that is the way back.
        """
        inverse = np.linalg.inv(self.segmentation.grid.to_orientation().grid.affine)
        return np.asarray(points, float) @ inverse[:3, :3].T + inverse[:3, 3]


def why_not(layer: Labels | None) -> str:
    """Why `layer` cannot be measured and what to do about it; empty where it can."""
    if layer is None:
        return NO_LABELS
    return _NO_LEVELS if scheme_of(layer)[0] == "structures" else ""


def about_scan(session: Session, labels: Labels | None) -> str:
    """Which scan the labels belong to, in words."""
    scan = session.scan_of(labels) if labels is not None else None
    if scan is not None:
        return f"Scan: {scan.name}"
    which = "None of the open scans fits these labels" if session.scans() else "Their scan is not open"
    if labels is not None and session.fitting(labels):
        which = "Their scan is not open" if session.scan_name_of(labels) else "Their scan is not known"
    return f"{which}, so the signal of discs stays unknown."


def take(layer: Labels, scan: Image | None, settings: MeasureSettings) -> Taken:
    """What is to be measured, as it is now.

    Raises
    ------
    ScanError
        If the layer is no single volume of whole numbers.
    """
    view = LayerView.of(layer)
    own = replace(view, data=np.array(view.data))
    # napari says in no other way that a layer was drawn on.
    drawn_on = bool(getattr(layer, "_undo_history", ()))
    return Taken(own, LayerView.of(scan) if scan is not None else None, settings, drawn_on)


def work(taken: Taken, control: Control) -> Result:
    """Measure. Raises as `measure` does."""
    scan = scan_from(taken.scan) if taken.scan is not None else None
    control.check()
    segmentation = segmentation_from(taken.labels, scan)
    notes = [*taken.labels.known.get("warnings", ()), *segmentation.warnings]
    if scan is not None:
        notes += scan.warnings
        try:
            scan = scan_for(segmentation, scan)
        except ScanError as error:
            scan, notes = None, [f"Signal was not measured: {error}", *notes]
    segmentation = replace(
        segmentation,
        warnings=tuple(dict.fromkeys(notes)),
        provenance={**segmentation.provenance, CHANGED: _changed(segmentation, taken)},
    )
    found = measure(segmentation, scan, taken.settings, control)
    return Result(found, segmentation, scan, taken.settings)


def _changed(segmentation: Segmentation, taken: Taken) -> bool:
    """Whether labels are no longer what was segmented: by the checksum, else as far as this window knows."""
    known = segmentation.provenance
    if isinstance(known.get("labels"), Mapping):
        return not is_as_written(segmentation, known["labels"])
    return taken.drawn_on or bool(known.get(CHANGED))
