"""What keeps a model from forgetting: scans of phantoms in ever new contrasts, with the parent's own answers.

Eight maps of tissues come with the package, painted around phantoms' labels by `scripts/make_replay.py`;
each time one is used, an image in another contrast is drawn from it, as in pretraining. What is asked of
the new model there is what the parent would have said, softly: phantoms are drawn in one style, and the
parent's own style is what is to be kept (Li and Hoiem, Learning without forgetting, ECCV 2016).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_spineseg.core.inputs import InputSpec
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared

MAPS = Path(__file__).parents[1] / "maps"
# The last of them are seen by the guard only.
FOR_GUARD = 2


def replay_maps(spec: InputSpec, table: np.ndarray) -> list[PreparedVolume]:
    """Maps of tissues to draw scans from, on the network's grid; `structures` in its classes."""
    return [_on_grid(volume, spec, table) for volume in load_prepared(MAPS)[:-FOR_GUARD]]


def guard_maps(table: np.ndarray) -> list[PreparedVolume]:
    """Maps that training never sees, on their own grid."""
    return [replace(v, structures=table[v.structures]) for v in load_prepared(MAPS)[-FOR_GUARD:]]


def _on_grid(volume: PreparedVolume, spec: InputSpec, table: np.ndarray) -> PreparedVolume:
    size = spec.working_size(*volume.values.shape[1:], (volume.spacing_mm, volume.spacing_mm))
    rows, columns = (
        ((np.arange(n) + 0.5) * old / n).astype(int)
        for n, old in zip(size, volume.values.shape[1:], strict=True)
    )
    picked = np.ix_(range(len(volume.values)), rows, columns)
    return replace(
        volume,
        values=volume.values[picked],
        structures=table[volume.structures[picked]],
        spacing_mm=volume.spacing_mm * volume.values.shape[1] / size[0],
    )
