"""The job that preprocessing is: a recipe with everything its steps may ask for at hand.

The widget, the command and the cluster call this; the steps themselves know neither files nor models.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_spineseg.errors import SettingsError
from napari_spineseg.io.read import read_only_scan
from napari_spineseg.preprocessing import Pipeline, Tools
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

# The quick pass looks at slices about this far apart: a vertebra is some four times as wide.
_APART_MM = 10.0
# What is smaller than this share of the largest piece found, seen from the side, is a mistake.
_LEAST_SHARE = 0.1


def preprocess(
    scan: Scan,
    pipeline: Pipeline,
    control: Control | None = None,
    open_scan: Callable[[str], Scan] | None = None,
) -> Scan:
    """Apply a recipe to a scan.

    Parameters
    ----------
    open_scan
        Finds the scan that a step's `reference` names; files, unless the caller knows more.

    Raises
    ------
    SettingsError
        If a step does not fit the scan, or its reference cannot be found.
    ScanError
        If the reference is not a scan.
    ModelError
        If a step needs a model and there is none.
    Stopped
        If `control` said so; `scan` is as it was.
    """
    return pipeline(scan, tools(open_scan), control or Control())


def tools(open_scan: Callable[[str], Scan] | None = None) -> Tools:
    """What steps may ask for: scans from files, and the model in use."""
    return Tools(open_scan or open_reference, find_spine)


def open_reference(name: str) -> Scan:
    """The scan in the file that a `reference` setting names.

    Raises
    ------
    SettingsError
        If none is named.
    ScanError
        If the file is not a scan.
    """
    if not name:
        raise SettingsError("Choose the reference scan of this step.")
    return read_only_scan(Path(name).expanduser())


def find_spine(scan: Scan, control: Control) -> np.ndarray:
    """(i, j, k) bool: where the model in use sees the spine, from a few sagittal slices."""
    from napari_spineseg.core.predict import PredictOptions, predict
    from napari_spineseg.models import get_model
    from napari_spineseg.models.loaded import loaded_model

    turn = scan.grid.to_orientation()
    view = scan.sagittal()
    step = max(1, round(_APART_MM / turn.grid.spacing[0]))
    kept = np.arange(min(step // 2, len(view) - 1), len(view), step)
    affine = np.array(turn.grid.affine)
    affine[:3, 3] += affine[:3, 0] * kept[0]
    affine[:3, 0] *= step
    thinned = scan.with_voxels(np.ascontiguousarray(view[kept]), affine=affine)
    found = predict(thinned, loaded_model(get_model(None)), PredictOptions(), control).structures > 0
    found &= _large(found.any(0))
    nearest = np.abs(np.arange(len(view))[:, None] - kept).argmin(1)
    return turn.invert(found[nearest])


def _large(seen: np.ndarray) -> np.ndarray:
    """(height, width) bool: the large pieces of what is seen from the side."""
    from scipy import ndimage

    pieces, number = ndimage.label(seen)
    sizes = np.bincount(pieces.ravel(), minlength=number + 1)
    sizes[0] = 0
    return (sizes >= max(1, _LEAST_SHARE * sizes.max()))[pieces] & seen
