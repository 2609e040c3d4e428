"""Steps that change one sagittal slice after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan


def each_slice(scan: Scan, stage: str, change: Callable[[np.ndarray], np.ndarray], control: Control) -> Scan:
    """The scan with `change` applied to each sagittal slice.

    `change` takes and returns (height, width) float32. The result is float32.
    """
    turn = scan.grid.to_orientation()
    out = np.empty(scan.voxels.shape, np.float32)
    view = turn.apply(out)
    source = scan.sagittal()
    for index in range(len(source)):
        view[index] = change(np.ascontiguousarray(source[index], np.float32))
        control.step(stage, index + 1, len(source))
    return scan.with_voxels(out)
