"""Asking the model that segmented a scan where it guessed, when nobody asked at the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_spineseg.corrections.doubt.look import Cells
from napari_spineseg.corrections.doubt.unsure import expected_cells

if TYPE_CHECKING:
    from napari_spineseg.core.checkpoint import LoadedModel
    from napari_spineseg.progress import Control
    from napari_spineseg.scan import Scan


def ask_model(scan: Scan, model: LoadedModel, control: Control | None = None) -> Cells:
    """Where `model` is unsure about `scan`, for `find_doubts`: as long as segmenting it, and small to keep.

    Raises
    ------
    ModelError
        If the network does not fit its card.
    Stopped
        If `control` said so, at the latest one tile after it did.
    """
    from napari_spineseg.core.predict import PredictOptions, predict

    seen = predict(scan, model, PredictOptions(uncertainty=True), control)
    turn = scan.grid.to_orientation()
    return expected_cells(turn.apply(seen.uncertainty), tuple(float(v) for v in turn.grid.spacing))
